package dev.conveyor.verticles.http;

/**
 * Where and how the HTTP front end listens.
 *
 * @param port 0 takes any free one
 * @param maxMessageBytes largest request body, also after decompression
 * @param maxConnections open at a time, on each event loop; more are closed at once
 * @param maxHeaderBytes all headers of a request together
 * @param idleTimeoutSeconds a connection without traffic for so long is closed
 * @param bodyTimeoutMs longest time that a request may take to arrive
 * @param graceMs how long a stop waits for requests in flight
 */
public record HttpFrontEndOptions(
    String host,
    int port,
    int maxMessageBytes,
    int maxConnections,
    int maxHeaderBytes,
    int idleTimeoutSeconds,
    long bodyTimeoutMs,
    long graceMs) {}
