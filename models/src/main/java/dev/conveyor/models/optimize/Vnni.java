package dev.conveyor.models.optimize;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Whether this CPU multiplies bytes without saturating between (AVX-512 VNNI, AVX-VNNI). */
final class Vnni {

  private Vnni() {}

  static boolean isHere() {
    return isIn(Path.of("/proc/cpuinfo"));
  }

  /** Unknown counts as yes off x86: the saturating instruction exists only there. */
  static boolean isIn(Path cpuInfo) {
    if (!System.getProperty("os.arch", "").matches("amd64|x86_64")) {
      return true;
    }
    try {
      String text = Files.readString(cpuInfo);
      return text.contains("avx512_vnni") || text.contains("avx_vnni");
    } catch (IOException e) {
      return false;
    }
  }
}
