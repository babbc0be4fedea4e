package dev.conveyor.scheduler.residency;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class ResidencyTableTest {

  private static final long MS = 1_000_000;
  private static final long T0 = Math.subtractExact(Long.MAX_VALUE, 100 * MS); // survives overflow

  private final ResidencyTable table = new ResidencyTable(new RequestForecast());

  @Test
  void shouldEvictNothingIfItFitsToTheLastByte() {
    resident("a", 50, 10 * MS, T0);
    table.register("b", 50);
    assertThat(room("b", 50, 50, T0)).isEqualTo(new Room.Evict(List.of()));
  }

  @Test
  void shouldEvictWhatIsLeastWorthKeeping() {
    resident("often", 50, 10 * MS, T0);
    resident("rarely", 50, 10 * MS, T0);
    table.onRequests("often", 10);
    table.onRequests("rarely", 1);
    table.register("new", 50);
    assertThat(room("new", 50, 0, T0 + 30 * MS)).isEqualTo(new Room.Evict(List.of("rarely")));
  }

  @Test
  void shouldKeepTheDearOneOfTwoThatAreAskedForAsOften() {
    resident("dear", 50, 20 * MS, T0);
    resident("cheap", 50, 10 * MS, T0);
    for (int i = 0; i < 20; i++) {
      table.onRequests("dear", 1);
      table.onRequests("cheap", 1);
    }
    table.register("new", 50);
    assertThat(room("new", 50, 0, T0 + 60 * MS)).isEqualTo(new Room.Evict(List.of("cheap")));
  }

  @Test
  void shouldSpareWhatNeedNotGo() {
    resident("small", 10, MS, T0);
    resident("large", 100, 100 * MS, T0);
    table.onRequests("small", 1);
    table.onRequests("large", 1000);
    table.register("new", 100);
    // The small one is worth least, but without the large one it is in nobody's way.
    assertThat(room("new", 100, 0, T0 + 300 * MS)).isEqualTo(new Room.Evict(List.of("large")));
    assertThat(room("new", 10, 0, T0 + 300 * MS)).isEqualTo(new Room.Evict(List.of("small")));
  }

  @Test
  void shouldNotEvictAModelBeforeItHasServedThreeTimesItsLoad() {
    resident("young", 50, 10 * MS, T0);
    table.register("new", 50);
    long end = T0 + 30 * MS;
    assertThat(room("new", 50, 0, end - 1))
        .isInstanceOfSatisfying(
            Room.Later.class,
            later -> {
              assertThat(later.afterNs()).isEqualTo(1);
              assertThat(later.reason()).contains("needs 50 bytes, 0 are free").contains("'young'");
            });
    assertThat(room("new", 50, 0, end)).isEqualTo(new Room.Evict(List.of("young")));
  }

  @Test
  void shouldNeverEvictWhatIsBusyLoadingLeavingOrPinned() {
    resident("busy", 50, 0, T0);
    resident("leaving", 50, 0, T0);
    table.onLeaving("leaving");
    table.register("new", 100);
    assertThat(table.room("new", 100, 0, Set.of("busy")::contains, T0))
        .isInstanceOf(Room.Later.class);
    assertThat(table.room("new", 101, 0, Set.of("busy")::contains, T0))
        .isEqualTo(new Room.Never("needs 101 bytes, 0 are free, evictable models hold 100"));

    table.onGone("leaving");
    table.remove("busy", T0); // pinned from now on
    assertThat(table.room("new", 60, 50, busy -> false, T0)).isInstanceOf(Room.Never.class);
  }

  @Test
  void shouldRefuseARequestThatEndsBeforeItsModelCouldAnswer() {
    resident("m", 50, 40 * MS, T0);
    table.onLeaving("m");
    table.onGone("m");
    assertThat(table.refusal("m", 45 * MS, 5 * MS, T0)).isEmpty();
    assertThat(table.refusal("m", Long.MAX_VALUE, 5 * MS, T0)).isEmpty();
    Optional<ColdStartRefusal> refusal = table.refusal("m", 45 * MS - 1, 5 * MS, T0);
    assertThat(refusal).isPresent();
    assertThat(refusal.orElseThrow().retryAfterNs()).isEqualTo(40 * MS);
    assertThat(refusal.orElseThrow().reason()).contains("would answer in 45 ms");
  }

  @Test
  void shouldCountTheLoadsThatComeBefore() {
    for (String name : List.of("a", "b", "c")) {
      resident(name, 50, 40 * MS, T0);
      table.onLeaving(name);
      table.onGone(name);
    }
    table.onQueued("a", T0);
    table.onLoading("a", T0);
    table.onQueued("b", T0);
    long now = T0 + 10 * MS;
    assertThat(table.readyInNs("a", now)).isEqualTo(30 * MS);
    assertThat(table.readyInNs("b", now)).isEqualTo(70 * MS);
    assertThat(table.readyInNs("c", now)).isEqualTo(110 * MS);
    table.onLoaded("a", 50, 40 * MS, now);
    assertThat(table.readyInNs("a", now)).isZero();
  }

  @Test
  void shouldCountTheTimeOfALoadFromItsTurnOn() {
    resident("a", 50, 40 * MS, T0 - MS);
    resident("b", 50, 40 * MS, T0 - MS);
    resident("c", 50, 40 * MS, T0 - MS);
    for (String name : List.of("a", "b", "c")) {
      table.onQueued(name, T0);
    }
    assertThat(table.underWay()).containsExactly("a", "b", "c");
    assertThat(table.readyInNs("c", T0)).isEqualTo(120 * MS);
    table.onLoadFailed("a", "broken", T0 + 30 * MS);
    assertThat(table.readyInNs("b", T0 + 30 * MS)).isEqualTo(40 * MS);
    assertThat(table.readyInNs("c", T0 + 40 * MS)).isEqualTo(70 * MS);
    table.remove("b", T0 + 50 * MS);
    assertThat(table.readyInNs("c", T0 + 50 * MS)).isEqualTo(40 * MS);
    assertThat(table.underWay()).containsExactly("c");
  }

  @Test
  void shouldWaitLongerAfterEveryFailureInARow() {
    table.register("m", 50);
    assertThat(table.onLoadFailed("m", "broken", T0)).isEqualTo(1000 * MS);
    assertThat(table.refusal("m", Long.MAX_VALUE, 0, T0 + 1000 * MS - 1).orElseThrow())
        .satisfies(
            refusal -> {
              assertThat(refusal.reason()).contains("broken").contains("next try in 1 ms");
              assertThat(refusal.retryAfterNs()).isEqualTo(1);
            });
    assertThat(table.refusal("m", Long.MAX_VALUE, 0, T0 + 1000 * MS)).isEmpty();
    assertThat(table.onLoadFailed("m", "broken", T0)).isEqualTo(2000 * MS);
    for (int i = 0; i < 100; i++) {
      assertThat(table.onLoadFailed("m", "broken", T0)).isLessThanOrEqualTo(60_000 * MS);
    }
    table.onLoaded("m", 50, MS, T0);
    assertThat(table.onLoadFailed("m", "broken", T0)).isEqualTo(1000 * MS);
  }

  @Test
  void shouldLearnFromOthersHowLongAModelWillTake() {
    table.register("unknown", 100_000_000);
    long before = table.loadNs("unknown");
    for (int i = 0; i < 50; i++) {
      resident("slow", 100_000_000, 3_000 * MS, T0);
    }
    assertThat(table.loadNs("unknown")).isGreaterThan(10 * before).isLessThan(3_100 * MS);
    assertThat(table.loadNs("nobody")).isZero();
  }

  @Test
  void shouldForgetAModelThatIsNotServedAnyMore() {
    resident("m", 50, MS, T0);
    table.remove("m", T0);
    assertThat(table.contains("m")).isFalse();
    assertThat(table.lines()).isEmpty();
    table.onRequests("m", 5);
    assertThat(table.refusal("m", 0, 0, T0)).isEmpty();
  }

  private void resident(String model, long bytes, long tookNs, long nowNs) {
    table.register(model, bytes);
    table.onQueued(model, nowNs);
    table.onLoading(model, nowNs);
    table.onLoaded(model, bytes, tookNs, nowNs);
  }

  private Room room(String model, long needed, long free, long nowNs) {
    return table.room(model, needed, free, busy -> false, nowNs);
  }
}
