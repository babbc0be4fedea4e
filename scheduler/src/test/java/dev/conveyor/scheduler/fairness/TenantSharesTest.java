package dev.conveyor.scheduler.fairness;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.Tenants;
import dev.conveyor.models.config.Tenants.Tenant;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class TenantSharesTest {

  @Test
  void shouldGiveStartTagsInProportionToWeights() {
    TenantShares shares = shares(10, Map.of("gold", new Tenant(2, null)));

    assertThat(shares.charge("a", 10)).isZero();
    assertThat(shares.charge("a", 10)).isEqualTo(10);
    assertThat(shares.charge("gold", 10)).isZero();
    assertThat(shares.charge("gold", 10)).isEqualTo(5);
    assertThat(shares.charge("gold", 10)).isEqualTo(10);
  }

  @Test
  void shouldGiveNobodyCreditForStayingAway() {
    TenantShares shares = shares(10, Map.of());
    shares.charge("a", 10);
    shares.start(500);

    assertThat(shares.charge("b", 10)).isEqualTo(500);
    assertThat(shares.charge("a", 10)).isEqualTo(500);
  }

  @Test
  void shouldChargeWhatItReallyTook() {
    TenantShares shares = shares(10, Map.of());
    shares.charge("a", 10);
    shares.correct("a", 5);
    assertThat(shares.charge("a", 10)).isEqualTo(15);
    shares.correct("a", -10);
    assertThat(shares.charge("a", 10)).isEqualTo(15);
    shares.correct("unknown", 100);
    assertThat(shares.charge("unknown", 1)).isZero();
  }

  @Test
  void shouldTellABoundedNumberOfTenantsApart() {
    TenantShares shares = shares(2, Map.of("gold", new Tenant(1, null)));
    shares.charge("a", 10);
    shares.charge("b", 10);
    assertThat(shares.charge("c", 10)).as("the first of the rest").isZero();
    assertThat(shares.charge("d", 10)).as("the second of the rest").isEqualTo(10);
    assertThat(shares.charge("gold", 10)).as("has a name").isZero();
    assertThat(shares.tracked()).isEqualTo(3);

    shares.start(10);
    assertThat(shares.charge("e", 10)).as("all others can be forgotten").isEqualTo(10);
    assertThat(shares.tracked()).isEqualTo(1);
  }

  private static TenantShares shares(int maxTracked, Map<String, Tenant> named) {
    return new TenantShares(new Tenants(maxTracked, new Tenant(1, null), named));
  }
}
