package dev.conveyor.scheduler.placement;

import static dev.conveyor.scheduler.placement.Fleets.KIND;
import static dev.conveyor.scheduler.placement.Fleets.MS;
import static dev.conveyor.scheduler.placement.Fleets.SECOND;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.placement.PlacementDriver.End;
import dev.conveyor.scheduler.placement.PlacementDriver.Move;
import dev.conveyor.scheduler.placement.PlacementPlanner.Settings;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * A server of two devices under virtual time: a batch takes 1 ms and 1 ms per item, in 10 ms, so
 * that a device carries about 800 items per second. A model takes 10 bytes and 1 s to load.
 */
final class PlacementDriverTest {

  private static final long EVERY = 5 * SECOND;
  private static final long BYTES = 10;

  private final PlacementDriver driver = new PlacementDriver(Settings.DEFAULT);
  private final Map<String, Set<String>> on = new TreeMap<>();
  private final Map<String, Double> rates = new HashMap<>();
  private final Map<String, Long> arrived = new HashMap<>();
  private final Set<String> fixed = new HashSet<>();
  private final Set<String> devices = new TreeSet<>(Set.of("GPU0", "GPU1"));
  private final List<String> moves = new ArrayList<>();
  private long capacity = 100;
  private String deployment = "1";

  /** Survives the overflow of nanoTime. */
  private long nowNs = Long.MAX_VALUE - 20 * SECOND;

  private void model(String name, double rate, String... devices) {
    on.put(name, new TreeSet<>(List.of(devices)));
    rates.put(name, rate);
  }

  private long freeBytes(String device) {
    return capacity - BYTES * on.values().stream().filter(d -> d.contains(device)).count();
  }

  private FleetView view() {
    List<FleetView.Device> there =
        devices.stream().map(d -> new FleetView.Device(d, KIND, freeBytes(d))).toList();
    List<FleetView.Model> models = new ArrayList<>();
    on.forEach(
        (name, where) -> {
          Set<String> works = new TreeSet<>(where);
          works.retainAll(devices);
          models.add(
              new FleetView.Model(
                  name,
                  deployment,
                  BYTES,
                  SECOND,
                  8,
                  10 * MS,
                  arrived.getOrDefault(name, 0L),
                  2,
                  !fixed.contains(name),
                  2,
                  Map.of(KIND, items -> MS + MS * (double) items),
                  works));
        });
    return new FleetView(nowNs, there, models);
  }

  /** Lets five seconds pass, in which requests of two items come. */
  private Optional<Move> look() {
    nowNs += EVERY;
    rates.forEach((name, rate) -> arrived.merge(name, (long) (rate / 2 * 5), Long::sum));
    return driver.look(view());
  }

  private void carryOut(Move move) {
    move.leaving().forEach(name -> devicesOf(name).remove(move.device()));
    assertThat(freeBytes(move.device())).isGreaterThanOrEqualTo(BYTES);
    devicesOf(move.model()).add(move.device());
    moves.add(move.model() + " onto " + move.device());
    driver.onEnd(move, End.DONE, nowNs);
  }

  private Set<String> devicesOf(String name) {
    return on.getOrDefault(name, new TreeSet<>());
  }

  private void run(int looks) {
    for (int i = 0; i < looks; i++) {
      look().ifPresent(this::carryOut);
    }
  }

  private Move firstMove() {
    for (int i = 0; i < 20; i++) {
      Optional<Move> move = look();
      if (move.isPresent()) {
        return move.get();
      }
    }
    throw new AssertionError("nothing moves: " + driver.reason());
  }

  @Test
  void shouldGiveAModelTheSecondDeviceWhenTheLoadShiftsToIt() {
    model("a", 300, "GPU0");
    model("b", 300, "GPU1");
    run(12);
    assertThat(moves).isEmpty();
    assertThat(driver.reason()).startsWith("stays: ");

    rates.put("a", 900.0);
    rates.put("b", 50.0);
    run(12);

    assertThat(moves).containsExactly("a onto GPU1");
    assertThat(devicesOf("b")).containsExactly("GPU1");
  }

  @Test
  void shouldHaveACopyLeaveWhereMemoryIsShort() {
    capacity = 2 * BYTES;
    model("a", 900, "GPU0");
    model("idle", 1, "GPU0", "GPU1");
    model("other", 1, "GPU1");

    Move move = firstMove();

    assertThat(move.model()).isEqualTo("a");
    assertThat(move.device()).isEqualTo("GPU1");
    assertThat(move.leaving()).containsExactly("idle");
    assertThat(move.reason()).endsWith("; for room idle leaves");
    carryOut(move);
    run(12);
    assertThat(moves).hasSize(1);
  }

  @Test
  void shouldTryAFailedLoadAgainAfterAMinuteThenTwo() {
    model("a", 900, "GPU0");
    Move failed = firstMove();
    driver.onEnd(failed, End.FAILED, nowNs);
    long failedNs = nowNs;

    Move again = firstMove();
    assertThat(nowNs - failedNs).isBetween(60 * SECOND, 70 * SECOND);
    driver.onEnd(again, End.FAILED, nowNs);
    failedNs = nowNs;
    for (int i = 0; i < 23; i++) {
      assertThat(look()).isEmpty();
    }
    carryOut(firstMove());
    assertThat(nowNs - failedNs).isBetween(120 * SECOND, 130 * SECOND);
    assertThat(moves).containsExactly("a onto GPU1");
  }

  @Test
  void shouldNotPunishAModelForAStepThatWasNotBegun() {
    model("a", 900, "GPU0");
    driver.onEnd(firstMove(), End.STALE, nowNs);
    long staleNs = nowNs;

    carryOut(firstMove());

    assertThat(nowNs - staleNs).isLessThan(30 * SECOND);
  }

  @Test
  void shouldDecideNothingWhileAMoveIsUnderWay() {
    model("a", 900, "GPU0");
    Move move = firstMove();

    for (int i = 0; i < 20; i++) {
      assertThat(look()).isEmpty();
    }
    carryOut(move);
  }

  @Test
  void shouldLeaveModelsThatStayWhereTheyAre() {
    fixed.add("a");
    model("a", 900, "GPU0");
    run(20);
    assertThat(moves).isEmpty();
  }

  @Test
  void shouldCountNothingTwiceWhenAModelIsLoadedAnew() {
    model("a", 300, "GPU0");
    run(6);
    arrived.put("a", 1_000_000L);
    deployment = "2";
    run(12);
    assertThat(moves).isEmpty();
  }

  @Test
  void shouldGoOnWithTheDevicesThatWorkWhenOneIsLost() {
    model("a", 900, "GPU0");
    devices.remove("GPU1");
    run(12);
    assertThat(moves).isEmpty();
    devices.add("GPU1");
    run(12);
    assertThat(moves).containsExactly("a onto GPU1");
  }

  @Test
  void shouldDoNothingWithoutDevicesOrModels() {
    assertThat(look()).isEmpty();
    devices.clear();
    model("a", 900);
    assertThat(look()).isEmpty();
  }
}
