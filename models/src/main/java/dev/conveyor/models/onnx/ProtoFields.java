package dev.conveyor.models.onnx;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Reads the fields of a protobuf message that somebody wants and skips the rest, so that a file of
 * any size takes milliseconds and no memory.
 */
interface ProtoFields {

  /** Consumes one field if it knows it, and returns whether it did; its tag was just read. */
  boolean read(int field, CodedInputStream in) throws IOException;

  /** Reads a file that is one message. */
  static void read(Path file, ProtoFields fields) throws IOException {
    try (InputStream bytes = Files.newInputStream(file)) {
      CodedInputStream in = CodedInputStream.newInstance(bytes);
      in.setSizeLimit(Integer.MAX_VALUE);
      message(in, fields);
    }
  }

  /** Reads a message inside of another; always true, for the caller to return. */
  static boolean nested(CodedInputStream in, ProtoFields fields) throws IOException {
    int length = in.readRawVarint32();
    int limit = in.pushLimit(length);
    message(in, fields);
    in.popLimit(limit);
    return true;
  }

  private static void message(CodedInputStream in, ProtoFields fields) throws IOException {
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      if (!fields.read(WireFormat.getTagFieldNumber(tag), in) && !in.skipField(tag)) {
        return;
      }
    }
  }
}
