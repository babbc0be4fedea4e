package dev.conveyor.verticles.cli.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.SimulatorUnavailableException;
import dev.conveyor.verticles.cli.gpucheck.Finding.Outcome;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The command from end to end, its processes included. */
class GpuCheckCommandTest {

  @TempDir private Path directory;
  private final StringWriter said = new StringWriter();

  private static void needSimulator() {
    try {
      CudaSimulator.start();
    } catch (SimulatorUnavailableException e) {
      abort(e.getMessage());
    }
  }

  /** Other tests of this process find a machine without a GPU again. */
  @AfterEach
  void end() {
    try {
      CudaSimulator.start().reset("devices=0");
    } catch (SimulatorUnavailableException e) {
      assertThat(e).hasMessageContaining("gcc");
    }
  }

  private int execute(CommandLine line, String... args) {
    PrintWriter writer = new PrintWriter(said);
    return line.setOut(writer).setErr(writer).execute(args);
  }

  private int check(String... args) {
    return execute(new CommandLine(new GpuCheckCommand()), args);
  }

  private Map<String, Finding> found() throws IOException {
    JsonObject report = new JsonObject(Files.readString(directory.resolve("gpu-check.json")));
    Map<String, Finding> found = new LinkedHashMap<>();
    for (Object check : report.getJsonArray("checks")) {
      found.put(((JsonObject) check).getString("check"), Finding.fromJson((JsonObject) check));
    }
    return found;
  }

  @Test
  void shouldSayThatThereIsNoGpu() {
    assertThat(check("--device", "99", "--out", directory.toString())).isEqualTo(2);

    assertThat(said.toString()).contains("no GPU");
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void shouldRefuseAnUnknownCheck() {
    assertThat(check("--only", "streams,nonsense")).isEqualTo(2);

    assertThat(said.toString()).contains("no check 'nonsense'").contains("tensorrt-fp16");
  }

  @Test
  void shouldPassOnTheSimulatedDevice() throws IOException {
    needSimulator();

    int status =
        check(
            "--simulated",
            "--only",
            "environment,streams,pools,out-of-memory,copies,graphs,images,crops,decodes",
            "--home",
            "..",
            "--out",
            directory.toString());

    assertThat(status).as(said.toString()).isZero();
    assertThat(found())
        .hasSize(9)
        .allSatisfy((name, finding) -> assertThat(finding.outcome()).isEqualTo(Outcome.PASSED));
    assertThat(found().get("copies").numbers().get("overlapped_share")).isBetween(0.45, 0.75);
    assertThat(found().get("crops").numbers().get("worst_levels")).isEqualTo(0);
    assertThat(found().get("decodes").numbers().get("worst_levels")).isEqualTo(0);
    assertThat(said.toString()).contains("9 passed");
  }

  @Test
  void shouldGoOnWhateverBecomesOfACheck() throws IOException {
    needSimulator();

    int status = execute(CheckMain.commandLine(), "--simulated", "--out", directory.toString());

    assertThat(status).as(said.toString()).isEqualTo(1);
    Map<String, Finding> found = found();
    assertThat(found.keySet())
        .containsExactly("throws", "crashes", "hangs", "lacks", "fails", "passes");
    assertThat(found.get("throws").reason()).contains("no such thing");
    assertThat(found.get("crashes").outcome()).isEqualTo(Outcome.CRASHED);
    assertThat(found.get("crashes").reason()).contains("ended with 3").contains("last words");
    assertThat(found.get("hangs").outcome()).isEqualTo(Outcome.TIMED_OUT);
    assertThat(found.get("lacks")).isEqualTo(Finding.skipped("a library is missing"));
    assertThat(found.get("fails"))
        .isEqualTo(Finding.failed("3 of 4", "one is wrong").with("wrong", 1));
    assertThat(found.get("passes")).isEqualTo(Finding.passed("Simulated GPU"));
    assertThat(Files.readString(directory.resolve("gpu-check.md")))
        .contains("| passes | passed | Simulated GPU |  | passes \\| as the test says |")
        .contains("1 passed, 2 failed, 1 skipped, 1 timed out, 1 crashed");
  }
}
