package dev.conveyor.verticles.cli.demo;

import java.nio.file.Path;

/**
 * What a demo does.
 *
 * @param home directory that holds {@code conf/models} and {@code conf/demo}
 * @param maxImages at most so many of the images are sent
 * @param rounds how often every image is sent in a measurement, and in the warm-up before it; 0
 *     leaves the measurements out
 * @param output directory for the annotated pictures; made if it is not there
 * @param framesPerSecond of the camera before the inspection line
 * @param keep after all of it go on serving, and playing pictures through the line
 */
public record DemoPlan(
    Path home, int maxImages, int rounds, Path output, double framesPerSecond, boolean keep) {

  /** Accuracy below this is a failure. */
  public static final double REQUIRED_ACCURACY = 0.95;

  /** Images that travel together in the batched pass. */
  static final int IMAGES_PER_REQUEST = 4;

  /** Groups of images under way in the batched pass; each is a request to either model. */
  static final int GROUPS_IN_FLIGHT = 6;

  public DemoPlan {
    if (maxImages < 1 || rounds < 0) {
      throw new IllegalArgumentException(
          "images must be >= 1 and rounds >= 0, was %d and %d".formatted(maxImages, rounds));
    }
    if (!(framesPerSecond > 0.01 && framesPerSecond <= 1000)) {
      throw new IllegalArgumentException(
          "frames per second must be above 0.01, at most 1000, was " + framesPerSecond);
    }
  }

  /** Returns the time from one picture to the next, in milliseconds. */
  long periodMs() {
    return Math.max(1, Math.round(1000 / framesPerSecond));
  }

  Path models() {
    return home.resolve("conf").resolve("models");
  }

  Path images() {
    return home.resolve("conf").resolve("demo");
  }
}
