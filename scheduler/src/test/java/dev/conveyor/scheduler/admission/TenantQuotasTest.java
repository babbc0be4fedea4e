package dev.conveyor.scheduler.admission;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.config.Quota;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.models.config.Tenants.Tenant;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class TenantQuotasTest {

  private static final Tenant ONE_PER_SECOND = new Tenant(1, new Quota(1, 1));

  @Test
  void shouldCountEachTenantByItself() {
    TenantQuotas quotas =
        new TenantQuotas(new Tenants(10, ONE_PER_SECOND, Map.of("free", new Tenant(1, null))));

    assertThat(quotas.tryTake("a", T0)).isZero();
    assertThat(quotas.tryTake("a", T0)).isCloseTo(1000 * MS, within(2L));
    assertThat(quotas.tryTake("b", T0)).isZero();
    assertThat(quotas.tryTake("", T0)).as("clients without a name are one tenant").isZero();
    assertThat(quotas.tryTake("", T0)).isPositive();
    for (int i = 0; i < 100; i++) {
      assertThat(quotas.tryTake("free", T0)).isZero();
    }
    assertThat(quotas.tracked()).isEqualTo(3);
  }

  @Test
  void shouldGainNothingByMakingUpNames() {
    TenantQuotas quotas = new TenantQuotas(new Tenants(2, ONE_PER_SECOND, Map.of()));
    int letIn = 0;
    for (int i = 0; i < 1000; i++) {
      letIn += quotas.tryTake("tenant-" + i, T0 + i) == 0 ? 1 : 0;
    }

    assertThat(letIn).as("two tenants and the one that stands for all others").isEqualTo(3);
    assertThat(quotas.tracked()).isEqualTo(2);
  }

  @Test
  void shouldForgetATenantOnceThatLosesNothing() {
    TenantQuotas quotas = new TenantQuotas(new Tenants(1, ONE_PER_SECOND, Map.of()));
    assertThat(quotas.tryTake("a", T0)).isZero();
    assertThat(quotas.tryTake("b", T0 + 999 * MS)).as("shares, and is the first to").isZero();
    assertThat(quotas.tryTake("c", T0 + 999 * MS)).as("shares with b").isPositive();

    assertThat(quotas.tryTake("d", T0 + 1000 * MS)).as("a's bucket is full again").isZero();
    assertThat(quotas.tryTake("d", T0 + 1000 * MS)).isCloseTo(1000 * MS, within(2L));
    assertThat(quotas.tracked()).isEqualTo(1);
  }

  @Test
  void shouldAlwaysHaveRoomForTenantsOfTheConfiguration() {
    TenantQuotas quotas =
        new TenantQuotas(
            new Tenants(1, ONE_PER_SECOND, Map.of("gold", new Tenant(1, new Quota(1, 3)))));
    assertThat(quotas.tryTake("a", T0)).isZero();
    assertThat(quotas.tryTake("b", T0)).isZero();
    assertThat(quotas.tryTake("b", T0)).isPositive();

    assertThat(quotas.tryTake("gold", T0)).isZero();
    assertThat(quotas.tryTake("gold", T0)).isZero();
    assertThat(quotas.tryTake("gold", T0)).isZero();
    assertThat(quotas.tryTake("gold", T0)).isPositive();
  }
}
