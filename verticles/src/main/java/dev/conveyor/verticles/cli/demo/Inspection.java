package dev.conveyor.verticles.cli.demo;

/**
 * One image, inspected.
 *
 * @param latencyNs from sending it until both models had answered
 * @param protocol it went through
 */
record Inspection(DemoImage image, Verdict verdict, long latencyNs, String protocol) {

  boolean isCorrect() {
    return verdict.label().equals(image.truth());
  }
}
