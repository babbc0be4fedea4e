/**
 * Whole servers for tests, and tests of the whole.
 *
 * <ul>
 *   <li>To start one over a temporary repository: {@link TestServer}; what to put into it: {@link
 *       TestModels}.
 *   <li>To share one among the tests of a class: {@link ServerCase}.
 *   <li>To hold a model still in the middle of a batch: {@link Gate}.
 *   <li>To talk to it over HTTP: {@link HttpCalls}; with bytes of one's own: {@link RawConnection}.
 * </ul>
 */
package dev.conveyor.verticles.server;
