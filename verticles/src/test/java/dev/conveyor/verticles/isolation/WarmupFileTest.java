package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.verticles.chaos.Poison;
import dev.conveyor.verticles.server.GatedBackend;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model whose synthetic batch was in a file that is gone. */
final class WarmupFileTest {

  private static final String MODEL = "warmed";
  private static final int ROWS = 2;

  @TempDir private Path dir;

  @Test
  void shouldProbeAndReplaceInstancesWithWhatTheFileHeldWhenTheModelWasLoaded() throws Exception {
    TestModels models = new TestModels(dir).identity(MODEL, 4);
    models.config(
        MODEL,
        """
        {"max_batch_size": 8, "instance_group": [{"kind": "KIND_CPU", "count": 1}],
         "model_warmup": [{"name": "first", "batch_size": %d, "inputs":
           {"INPUT0": {"data_type": "TYPE_FP32", "dims": [4], "input_data_file": "rows"}}}],
         "parameters": {"chaos": {"string_value": "on"},
                        "test_gate": {"string_value": "%s"}}}"""
            .formatted(ROWS, MODEL));
    byte[] rows = Requests.counting(0, ROWS * 4);
    Path file = dir.resolve(MODEL + "/warmup/rows");
    Files.createDirectories(file.getParent());
    Files.write(file, rows);
    try (FaultyServer faulty = new FaultyServer(TestServer.start(models))) {
      assertThat(faulty.server().server().budget().holders())
          .containsEntry(MODEL + "/1/warm-up", (long) rows.length);
      Files.delete(file);

      float[] bad = FaultyServer.row(Poison.EXCEPTION, 0, 0);
      assertThatThrownBy(() -> TestServer.await(faulty.infer(MODEL, bad)))
          .hasMessageContaining("chaos: poison in the batch");
      assertThat(faulty.next(MODEL, "instance_probed").getString("reason")).isEqualTo("well");
      assertThat(TestServer.await(faulty.infer(MODEL, 1, 2, 3, 4))).containsExactly(1, 2, 3, 4);

      GatedBackend.lose(MODEL, "its process is gone");
      assertThat(faulty.next(MODEL, "instance_quarantined").getString("reason")).isEqualTo("gone");
      faulty.next(MODEL, "instance_replaced");
      assertThat(TestServer.await(faulty.infer(MODEL, 5, 6, 7, 8))).containsExactly(5, 6, 7, 8);
      faulty.assertIdle();
    }
  }
}
