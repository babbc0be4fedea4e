package dev.conveyor.models.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.TensorSpec;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class WideModelTest {

  private final List<String> calls = new ArrayList<>();

  @Test
  void shouldRunOnTheOneThatItWasToldLast() {
    try (LoadedModel model = new WideModel(load("narrow"), load("wide"));
        ModelExecutor executor = model.newExecutor(1)) {
      assertThat(executor.canWiden()).isTrue();
      executor.execute(List.of());
      executor.widen(true);
      executor.execute(List.of());
      executor.execute(List.of());
      executor.widen(false);
      executor.execute(List.of());
      executor.cancel();
      executor.stayAwake(true);
    }

    assertThat(calls)
        .containsExactly(
            "narrow runs",
            "wide runs",
            "wide runs",
            "narrow runs",
            "narrow cancelled",
            "wide cancelled",
            "narrow awake true",
            "wide awake true",
            "wide closed",
            "narrow closed",
            "wide unloaded",
            "narrow unloaded");
  }

  @Test
  void shouldCountBoth() {
    assertThat(new WideModel(load("narrow"), load("wide")).reservedBytes()).isEqualTo(200);
  }

  @Test
  void shouldKeepNothingOfAnInstanceThatOnlyHalfCouldBeMadeOf() {
    LoadedModel full =
        new Load("full") {
          @Override
          public ModelExecutor newExecutor(int maxBatchSize) {
            throw new ModelLoadException("no memory");
          }
        };
    LoadedModel model = new WideModel(load("narrow"), full);

    assertThatThrownBy(() -> model.newExecutor(1)).hasMessage("no memory");
    assertThat(calls).containsExactly("narrow closed");
  }

  @Test
  void shouldUnloadTheOtherIfOneCannotBe() {
    LoadedModel stuck =
        new Load("stuck") {
          @Override
          public void close() {
            throw new IllegalStateException("stuck");
          }
        };
    LoadedModel model = new WideModel(load("narrow"), stuck);

    assertThatThrownBy(model::close).hasMessage("stuck");
    assertThat(calls).containsExactly("narrow unloaded");
  }

  private LoadedModel load(String name) {
    return new Load(name);
  }

  private class Load implements LoadedModel {

    private final String name;

    Load(String name) {
      this.name = name;
    }

    @Override
    public List<TensorSpec> inputs() {
      return List.of();
    }

    @Override
    public List<TensorSpec> outputs() {
      return List.of();
    }

    @Override
    public long reservedBytes() {
      return 100;
    }

    @Override
    public ModelExecutor newExecutor(int maxBatchSize) {
      return new ModelExecutor() {
        @Override
        public BatchResult execute(List<? extends BatchRequest> requests) {
          calls.add(name + " runs");
          return new BatchResult(List.of(), 0, 0, 0);
        }

        @Override
        public void stayAwake(boolean awake) {
          calls.add(name + " awake " + awake);
        }

        @Override
        public void cancel() {
          calls.add(name + " cancelled");
        }

        @Override
        public void close() {
          calls.add(name + " closed");
        }
      };
    }

    @Override
    public void close() {
      calls.add(name + " unloaded");
    }
  }
}
