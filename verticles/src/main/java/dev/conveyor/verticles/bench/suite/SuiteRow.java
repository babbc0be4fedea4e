package dev.conveyor.verticles.bench.suite;

import java.util.concurrent.Callable;

/**
 * One row of a suite.
 *
 * @param measure measures the figure; fails with {@link CannotMeasureException} if this machine
 *     cannot
 */
public record SuiteRow(String figure, Target target, Callable<Measured> measure) {}
