package dev.conveyor.models.tensorrt;

import dev.conveyor.models.onnx.OnnxExternalData;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * What an engine depends on: it is good for nothing else, and TensorRT may end the process over one
 * that was made elsewhere. Immutable.
 *
 * @param model SHA-256 of the model file and of its weights in other files, hexadecimal
 * @param architecture compute capability of the device, 10 * major + minor
 * @param device its name: kernels are chosen by their times on that very device
 * @param tensorRt version of the library, as it says itself
 * @param driver version of CUDA that the driver supports, 1000 * major + 10 * minor
 * @param flags everything of the configuration that the engine depends on
 */
record EngineKey(
    String model, int architecture, String device, int tensorRt, int driver, String flags) {

  /**
   * Returns the SHA-256 of a model, hexadecimal: of its file, and of the files beside it that it
   * has weights in.
   *
   * @throws IOException if one of them cannot be read, or does not lie in the model's directory
   */
  static String hash(Path model) throws IOException {
    MessageDigest digest = sha256();
    update(digest, model);
    Path directory = model.toAbsolutePath().normalize().resolveSibling("");
    for (String location : OnnxExternalData.locations(model)) {
      Path file = directory.resolve(location).normalize();
      if (!file.startsWith(directory)) {
        throw new IOException("weights in '" + location + "', outside of the model's directory");
      }
      String path = directory.relativize(file).toString();
      update(digest, path);
      update(digest, Long.toString(Files.size(file)));
      update(digest, file);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void update(MessageDigest digest, Path file) throws IOException {
    try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
      in.transferTo(OutputStream.nullOutputStream());
    }
  }

  /** With its length, so that where one part ends cannot be mistaken. */
  private static void update(MessageDigest digest, String part) {
    byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
    digest.update((bytes.length + ":").getBytes(StandardCharsets.UTF_8));
    digest.update(bytes);
  }

  /**
   * Returns the flags of an engine: options that change only how its build is heard of are left
   * out.
   */
  static String flags(EngineOptions options, BatchProfile profile, String calibration) {
    String shapes = options.profiles().isEmpty() ? "" : " profiles=" + options.profiles();
    return "%s workspace=%d level=%d batches=%d..%d..%d layers=%s calibration=%s"
            .formatted(
                options.precision(),
                options.workspaceBytes(),
                options.optimizationLevel(),
                profile.least(),
                profile.best(),
                profile.most(),
                options.layerTimes(),
                calibration)
        + shapes;
  }

  /** Returns 32 bytes that are the same for equal keys only. */
  byte[] digest() {
    MessageDigest digest = sha256();
    for (String part :
        new String[] {
          model,
          Integer.toString(architecture),
          device,
          Integer.toString(tensorRt),
          Integer.toString(driver),
          flags
        }) {
      update(digest, part);
    }
    return digest.digest();
  }

  /** Returns the name of its file: what it is for can be read, what it depends on is hashed. */
  String fileName() {
    return "sm%d-trt%d-%s.engine"
        .formatted(architecture, tensorRt, HexFormat.of().formatHex(digest(), 0, 12));
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
