package dev.conveyor.models.tune;

import java.util.Locale;

/** How requests come while settings are compared. Immutable. */
public sealed interface LoadShape {

  /** Returns for example {@code 16 in flight}. */
  String text();

  /** Clients that wait for an answer before they ask again, so many of them. */
  record Closed(int inFlight) implements LoadShape {
    public Closed {
      if (inFlight < 1) {
        throw new IllegalArgumentException("in flight: expected 1 or more, found " + inFlight);
      }
    }

    @Override
    public String text() {
      return inFlight + " in flight";
    }
  }

  /** Requests at random times, whether or not earlier ones were answered. */
  record Open(double perSecond) implements LoadShape {
    public Open {
      if (!(perSecond > 0)) {
        throw new IllegalArgumentException("rate: expected more than 0/s, found " + perSecond);
      }
    }

    @Override
    public String text() {
      return String.format(Locale.ROOT, "%.1f/s at random", perSecond);
    }
  }
}
