package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.InstanceGroup;
import dev.conveyor.models.config.ModelConfigReader;
import java.util.List;
import org.junit.jupiter.api.Test;

final class NamedGpusTest {

  private static final Gpu FIRST = new Gpu(0, "GPU-12ab-00", "g", 90, 1000);
  private static final Gpu SECOND = new Gpu(1, "GPU-12cd-00", "g", 90, 1000);
  private static final Gpu SLICE = new Gpu(3, "MIG-12ab-00", "g MIG 1g.10gb", 90, 100);
  private static final List<Gpu> ALL = List.of(FIRST, SECOND, SLICE);

  private static List<Gpu> named(String keys) {
    InstanceGroup group =
        ModelConfigReader.read("m", "{\"instance_group\": [{%s}]}".formatted(keys))
            .instanceGroups()
            .get(0);
    return NamedGpus.of(group, ALL);
  }

  @Test
  void shouldTakeAllUnlessSomeAreNamed() {
    assertThat(named("")).isEqualTo(ALL);
    assertThat(named("\"gpus\": [3]")).containsExactly(SLICE);
  }

  @Test
  void shouldFindGpusAndSlicesByUuidOrItsBeginningBesidesThoseByNumber() {
    assertThat(named("\"gpu_uuids\": [\"MIG-12ab-00\", \"GPU-12c\"]"))
        .containsExactly(SLICE, SECOND);
    assertThat(named("\"gpu_uuids\": [\"GPU-12ab\"], \"gpus\": [1]"))
        .containsExactly(SECOND, FIRST);
  }

  @Test
  void shouldSayWhatThereIsWhereNoneOrSeveralAreMeant() {
    assertThatThrownBy(() -> named("\"gpus\": [2]"))
        .isInstanceOf(ModelLoadException.class)
        .hasMessage("gpus: there is no GPU 2, only [0, 1, 3]");
    assertThatThrownBy(() -> named("\"gpu_uuids\": [\"MIG-12cd\"]"))
        .isInstanceOf(ModelLoadException.class)
        .hasMessage("gpu_uuids: there is no MIG-12cd, only GPU-12ab-00, GPU-12cd-00, MIG-12ab-00");
    assertThatThrownBy(() -> named("\"gpu_uuids\": [\"GPU-12\"]"))
        .isInstanceOf(ModelLoadException.class)
        .hasMessage("gpu_uuids: GPU-12 is the beginning of GPU-12ab-00, GPU-12cd-00");
  }
}
