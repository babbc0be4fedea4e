package dev.conveyor.scheduler.occupancy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.scheduler.occupancy.InstanceScaler.Step;
import dev.conveyor.scheduler.occupancy.InstanceScaler.Window;
import java.util.List;
import java.util.Optional;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

final class InstanceScalerTest {

  private static final long MS = 1_000_000;
  private static final long SECOND = 1000 * MS;
  private static final long OBJECTIVE = 100 * MS;

  private final InstanceScaler scaler = new InstanceScaler(1, 3);
  private long now = Long.MAX_VALUE - 3 * SECOND;

  @Test
  void shouldAddOneAfterTwoSlowWindowsOnEnd() {
    assertThat(window(1, 26 * MS, 0.9, 0)).isEmpty();
    assertThat(window(1, 25 * MS, 0.9, 0)).as("a quarter is not above it").isEmpty();
    assertThat(window(1, 26 * MS, 0.9, 0)).isEmpty();
    assertThat(window(1, 26 * MS, 0.9, 0))
        .hasValueSatisfying(step -> assertThat(step.instances()).isEqualTo(2));
    assertThat(window(2, 26 * MS, 0.9, 0)).as("two more windows for the next").isEmpty();
    assertThat(window(2, 26 * MS, 0.9, 0)).isPresent();
  }

  @Test
  void shouldAddOneAtOnceIfMoreThanOneInTwoHundredIsRefused() {
    assertThat(window(1, 0, 0.9, 0.005)).isEmpty();
    assertThat(window(1, 0, 0.9, 0.0051))
        .hasValueSatisfying(step -> assertThat(step.reason()).contains("refused"));
  }

  @Test
  void shouldNotExceedMaxMemoryOrCores() {
    assertThat(window(3, 99 * MS, 9, 0.5)).isEmpty();
    now += 5 * SECOND;
    assertThat(scaler.onWindow(new Window(2, 99 * MS, OBJECTIVE, 9, 0.5, false), now)).isEmpty();
  }

  @Test
  void shouldRemoveOneAfterAQuietMinuteIfOneFewerWouldDo() {
    for (int i = 0; i < 12; i++) {
      assertThat(window(2, 4 * MS, 0.7, 0)).as("window " + i).isEmpty();
    }
    assertThat(window(2, 4 * MS, 0.7, 0))
        .hasValueSatisfying(step -> assertThat(step.instances()).isEqualTo(1));
  }

  @Test
  void shouldStartTheMinuteAnewAfterAWindowThatWasNotQuick() {
    for (int i = 0; i < 12; i++) {
      assertThat(window(2, 4 * MS, 0.5, 0)).isEmpty();
    }
    assertThat(window(2, 5 * MS, 0.5, 0)).isEmpty();
    for (int i = 0; i < 12; i++) {
      assertThat(window(2, 4 * MS, 0.5, 0)).isEmpty();
    }
    assertThat(window(2, 4 * MS, 0.5, 0)).isPresent();
  }

  @Test
  void shouldKeepWhatTheDemandNeeds() {
    for (int i = 0; i < 30; i++) {
      assertThat(window(2, 0, 0.71, 0)).isEmpty();
    }
    assertThat(InstanceScaler.need(0.7)).isEqualTo(1);
    assertThat(InstanceScaler.need(0.71)).isEqualTo(2);
  }

  @Test
  void shouldRefuseBoundsThatAreNone() {
    assertThatThrownBy(() -> new InstanceScaler(2, 1)).hasMessageContaining("2, 1");
    assertThatThrownBy(() -> new InstanceScaler(0, 1)).hasMessageContaining("0, 1");
  }

  @Property(tries = 300)
  void shouldStayWithinBoundsAndNeverTurnAroundWithinAMinute(
      @ForAll @Size(max = 200) List<@IntRange(min = 0, max = 60) Integer> delays,
      @ForAll @IntRange(min = 0, max = 30) int tenthsOfDemand) {
    InstanceScaler bounded = new InstanceScaler(1, 3);
    int instances = 1;
    long at = 0;
    long lastUp = Long.MIN_VALUE / 2;
    for (int delay : delays) {
      at += 5 * SECOND;
      Optional<Step> step =
          bounded.onWindow(
              new Window(instances, delay * MS, OBJECTIVE, tenthsOfDemand / 10.0, 0, true), at);
      if (step.isPresent()) {
        assertThat(Math.abs(step.get().instances() - instances)).isEqualTo(1);
        if (step.get().instances() < instances) {
          assertThat(at - lastUp).isGreaterThanOrEqualTo(60 * SECOND);
        } else {
          lastUp = at;
        }
        instances = step.get().instances();
      }
      assertThat(instances).isBetween(1, 3);
    }
  }

  private Optional<Step> window(int instances, long delayNs, double demand, double refused) {
    now += 5 * SECOND;
    return scaler.onWindow(new Window(instances, delayNs, OBJECTIVE, demand, refused, true), now);
  }
}
