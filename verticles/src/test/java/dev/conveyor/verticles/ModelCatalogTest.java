package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import java.util.concurrent.TimeUnit;
import java.util.function.LongPredicate;
import org.junit.jupiter.api.Test;

final class ModelCatalogTest {

  private static final long HOUR_NS = TimeUnit.HOURS.toNanos(1);

  private final ModelCatalog catalog = new ModelCatalog();

  @Test
  void shouldSayWhenAModelThatCouldNotBeLoadedIsTriedAgain() {
    catalog.withdrawUntil("m", "its last load failed", System.nanoTime() + HOUR_NS);
    assertUnavailable(ns -> ns > 0 && ns <= HOUR_NS);

    catalog.withdrawUntil("m", "its last load failed", System.nanoTime() - HOUR_NS);
    assertUnavailable(ns -> ns == 1);

    catalog.withdraw("m", "unloaded");
    assertUnavailable(ns -> ns == InferenceException.UNKNOWN);
  }

  private void assertUnavailable(LongPredicate retryAfterNs) {
    assertThatThrownBy(() -> catalog.find("m", ""))
        .isInstanceOfSatisfying(
            InferenceException.class,
            e -> {
              if (e.code() != ErrorCode.UNAVAILABLE || !retryAfterNs.test(e.retryAfterNs())) {
                throw new AssertionError(e.code() + ", again after " + e.retryAfterNs());
              }
            });
  }
}
