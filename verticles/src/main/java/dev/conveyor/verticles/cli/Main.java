package dev.conveyor.verticles.cli;

import dev.conveyor.verticles.ServerInfo;
import dev.conveyor.verticles.bench.BenchCommand;
import dev.conveyor.verticles.chaos.ChaosCommand;
import dev.conveyor.verticles.cli.bundle.BundleCommand;
import dev.conveyor.verticles.cli.gpucheck.GpuCheckCommand;
import dev.conveyor.verticles.cli.simulate.SimulateCommand;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Entry point of every command. */
@Command(
    name = "conveyor",
    version = ServerInfo.NAME + " " + ServerInfo.VERSION,
    mixinStandardHelpOptions = true,
    description = "Serves many models on few GPUs.",
    subcommands = {
      ServeCommand.class,
      DemoCommand.class,
      BenchCommand.class,
      SimulateCommand.class,
      OptimizeCommand.class,
      TuneCommand.class,
      ChaosCommand.class,
      FeedCommand.class,
      BundleCommand.class,
      GpuCheckCommand.class
    })
public final class Main {

  private Main() {}

  /** Runs a command and ends the process with its exit code. */
  public static void main(String[] args) {
    System.exit(
        new CommandLine(new Main()).setCaseInsensitiveEnumValuesAllowed(true).execute(args));
  }
}
