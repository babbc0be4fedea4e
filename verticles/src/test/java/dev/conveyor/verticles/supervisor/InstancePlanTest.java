package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How many threads executions get, on four cores. */
final class InstancePlanTest {

  private static final int CORES = 4;

  @Test
  void shouldTellThatIdleThreadsHaveNoEffectWhereThereAreAsManyAnyway() {
    assertThat(onCpu(0, 1).idleThreadsWithoutEffect(config(0, 1))).isEmpty();
    assertThat(onCpu(2, 1).idleThreadsWithoutEffect(config(2, 1))).isEmpty();
    assertThat(onCpu(2, 2).idleThreadsWithoutEffect(config(2, 2)))
        .hasValueSatisfying(line -> assertThat(line).contains("2 threads at any time"));
    assertThat(onCpu(8, 4).idleThreadsWithoutEffect(config(8, 4)))
        .as("no more than there are cores")
        .isPresent();
  }

  @Test
  void shouldTellThatTheyHaveNoneOnGpus() {
    ModelConfig config = config(4, 1);
    List<String> gpus = List.of("GPU-0");
    assertThat(InstancePlan.onGpus(config, gpus, 2, CORES).idleThreadsWithoutEffect(config))
        .isPresent();
    assertThat(
            InstancePlan.mixed(config, gpus, 2, 1, CORES, "CPU").idleThreadsWithoutEffect(config))
        .isPresent();
  }

  @Test
  void shouldPlanSeveralGroupsOfWhichNoneIsOnTheCpu() {
    ModelConfig config = ModelConfigReader.read("m", "{}");
    InstancePlan plan = InstancePlan.mixed(config, List.of("GPU-0", "GPU-1"), 2, 0, CORES, "CPU");

    assertThat(plan.devices()).containsExactly("GPU-0", "GPU-0", "GPU-1", "GPU-1");
    assertThat(plan.threads()).isEqualTo(CORES);
    assertThat(plan.isElastic()).isFalse();
  }

  private static InstancePlan onCpu(int idle, int threads) {
    return InstancePlan.onCpu(config(idle, threads), 1, CORES, "CPU");
  }

  private static ModelConfig config(int idle, int threads) {
    return ModelConfigReader.read(
        "m",
        """
        {"conveyor": {"intra_op_threads": %d, "idle_intra_op_threads": %d}}"""
            .formatted(threads, idle));
  }
}
