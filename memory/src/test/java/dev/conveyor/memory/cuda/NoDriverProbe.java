package dev.conveyor.memory.cuda;

/** Prints what a process finds that has not loaded the simulated device. */
final class NoDriverProbe {

  private NoDriverProbe() {}

  public static void main(String[] args) {
    CudaLibraries.Found found = CudaLibraries.find();
    System.out.println(found.cuda() == null ? "none: " + found.reason() : "found");
  }
}
