package dev.conveyor.verticles.bench.load;

import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Where load goes.
 *
 * @param connections most connections to open, where the protocol needs one per request in flight
 * @param timeout how long to wait for one answer, where the protocol can tell without the server
 * @param serverConfig configuration of the server, for protocols that start it in this JVM
 */
public record LoadTarget(
    String host, int port, int connections, Duration timeout, @Nullable Path serverConfig) {}
