/**
 * The actors that make a server, and how they are put together.
 *
 * <ul>
 *   <li>To send a request into the line, from any protocol: {@link InferenceGateway}.
 *   <li>To see what is served: {@link ModelCatalog}, {@link ServedModel}.
 *   <li>To load, unload and list models: {@link RepositoryControl}.
 *   <li>Front ends: {@code http}, {@code grpc}, {@code bus}; instances: {@code instance}; figures:
 *       {@code metrics}; the live page: {@code page}; commands: {@code cli}, {@code bench}.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles;

import org.jspecify.annotations.NullMarked;
