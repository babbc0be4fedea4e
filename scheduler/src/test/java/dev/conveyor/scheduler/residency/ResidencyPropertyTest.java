package dev.conveyor.scheduler.residency;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.residency.ResidencyTable.State;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Random events against the table: what must hold whatever happens. */
final class ResidencyPropertyTest {

  private static final int MODELS = 8;
  private static final long BUDGET = 1000;

  @Property(tries = 300)
  void shouldNeverExceedTheBudgetNorEvictWhatMustStay(@ForAll long seed) {
    Random random = new Random(seed);
    EvictionPolicy policy =
        switch (random.nextInt(3)) {
          case 0 -> new RequestForecast();
          case 1 -> new GreedyDualSizeFrequency();
          default -> new LeastRecentlyUsed();
        };
    ResidencyTable table = new ResidencyTable(policy);
    Map<String, Long> held = new HashMap<>();
    Map<String, Long> stayUntil = new HashMap<>();
    long pinned = random.nextInt(500);
    long now = Long.MAX_VALUE - random.nextInt(1000);
    for (int m = 0; m < MODELS; m++) {
      table.register("m" + m, 1 + random.nextInt(600));
    }
    for (int step = 0; step < 200; step++) {
      now += random.nextInt(50);
      String wanted = "m" + random.nextInt(MODELS);
      table.onRequests(wanted, 1 + random.nextInt(3));
      if (held.containsKey(wanted)) {
        continue;
      }
      Set<String> busy = new HashSet<>();
      held.keySet().forEach(name -> markBusy(random, busy, name));
      long bytes = table.expectedBytes(wanted);
      long used = pinned + held.values().stream().mapToLong(Long::longValue).sum();
      Room room = table.room(wanted, bytes, BUDGET - used, busy::contains, now);
      if (room instanceof Room.Evict evict) {
        for (String victim : evict.victims()) {
          assertThat(held).containsKey(victim);
          assertThat(busy).doesNotContain(victim);
          assertThat(stayUntil.get(victim) - now).isLessThanOrEqualTo(0);
          table.onLeaving(victim);
          table.onGone(victim);
          used -= held.remove(victim);
        }
        table.onQueued(wanted, now);
        if (random.nextInt(5) == 0) {
          table.onLoadFailed(wanted, "chance", now);
        } else {
          long took = random.nextInt(40);
          table.onLoaded(wanted, bytes, took, now);
          held.put(wanted, bytes);
          stayUntil.put(wanted, now + ResidencyTable.MIN_RESIDENCY_LOADS * took);
          used += bytes;
        }
        assertThat(used).isLessThanOrEqualTo(BUDGET);
      } else if (room instanceof Room.Later later) {
        assertThat(later.afterNs()).isPositive();
      } else {
        assertThat(bytes).isGreaterThan(BUDGET - pinned);
      }
      assertThat(table.lines().stream().filter(line -> line.state() == State.RESIDENT))
          .hasSize(held.size());
    }
  }

  private static void markBusy(Random random, Set<String> busy, String name) {
    if (random.nextInt(3) == 0) {
      busy.add(name);
    }
  }
}
