package dev.conveyor.scheduler.admission;

import static dev.conveyor.scheduler.TestRequests.T0;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.Quota;
import org.junit.jupiter.api.Test;

final class ModelQuotasTest {

  private static final Quota TWO = new Quota(1, 2);
  private final ModelQuotas quotas = new ModelQuotas();

  @Test
  void shouldCountEachModelByItself() {
    assertThat(quotas.tryTake("a", TWO, T0)).isZero();
    assertThat(quotas.tryTake("a", TWO, T0)).isZero();
    assertThat(quotas.tryTake("a", TWO, T0)).isPositive();
    assertThat(quotas.tryTake("b", TWO, T0)).isZero();
    assertThat(quotas.tryTake("free", null, T0)).isZero();
  }

  @Test
  void shouldGiveBackOnlyToTheBucketThatItWasTakenFrom() {
    assertThat(quotas.tryTake("a", TWO, T0)).isZero();
    quotas.giveBack("a", TWO);
    assertThat(quotas.tryTake("a", TWO, T0)).isZero();
    assertThat(quotas.tryTake("a", TWO, T0)).isZero();
    assertThat(quotas.tryTake("a", TWO, T0)).isPositive();

    Quota one = new Quota(1, 1);
    assertThat(quotas.tryTake("a", one, T0)).as("another quota, another bucket").isZero();
    quotas.giveBack("a", TWO);
    assertThat(quotas.tryTake("a", one, T0)).isPositive();
  }
}
