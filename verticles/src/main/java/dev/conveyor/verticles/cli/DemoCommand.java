package dev.conveyor.verticles.cli;

/** Stub. */
@picocli.CommandLine.Command(name = "DemoCommand")
public final class DemoCommand {}
