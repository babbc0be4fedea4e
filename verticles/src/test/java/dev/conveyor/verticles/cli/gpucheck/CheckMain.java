package dev.conveyor.verticles.cli.gpucheck;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine;

/** Stands for the program in tests: its checks end in every way. */
public final class CheckMain {

  private static final Duration SHORT = Duration.ofSeconds(4);

  private CheckMain() {}

  /** What a check does. */
  private interface Body {
    Finding run(CheckSite site) throws Exception;
  }

  private record Fixed(String name, Duration limit, Body body) implements Check {

    @Override
    public String what() {
      return name + " | as the test says";
    }

    @Override
    public Finding run(CheckSite site) throws Exception {
      return body.run(site);
    }
  }

  static List<Check> checks() {
    Duration enough = Duration.ofMinutes(2);
    return List.of(
        new Fixed(
            "throws",
            enough,
            site -> {
              throw new IllegalStateException("no such thing");
            }),
        new Fixed(
            "crashes",
            enough,
            site -> {
              System.err.println("last words");
              Runtime.getRuntime().halt(3);
              return Finding.passed("");
            }),
        new Fixed(
            "hangs",
            SHORT,
            site -> {
              Thread.sleep(Duration.ofDays(1).toMillis());
              return Finding.passed("");
            }),
        new Fixed("lacks", enough, site -> Finding.skipped("a library is missing")),
        new Fixed(
            "fails", enough, site -> Finding.failed("3 of 4", "one is wrong").with("wrong", 1)),
        new Fixed("passes", enough, site -> Finding.passed(site.gpu().name())));
  }

  static CommandLine commandLine() {
    return new CommandLine(new GpuCheckCommand(checks(), CheckMain.class.getName()));
  }

  public static void main(String[] args) {
    String[] options = Arrays.copyOfRange(args, 1, args.length); // Behind "gpu-check".
    System.exit(commandLine().execute(options));
  }
}
