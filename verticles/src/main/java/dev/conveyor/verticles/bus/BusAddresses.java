package dev.conveyor.verticles.bus;

/** The addresses that other applications use. Documented in the README. */
public final class BusAddresses {

  public static final String DEFAULT_PREFIX = "conveyor";

  private BusAddresses() {}

  /** Takes inference requests: a {@code Buffer} as {@link BusCodec} says, or a JSON object. */
  public static String infer(String prefix) {
    return prefix + ".infer";
  }

  /** Carries lifecycle events as JSON objects; publish/subscribe. */
  public static String events(String prefix) {
    return prefix + ".events";
  }
}
