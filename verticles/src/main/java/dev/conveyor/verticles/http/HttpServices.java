package dev.conveyor.verticles.http;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.MemoryReport;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.shm.SharedMemoryRegions;

/**
 * What the HTTP front end needs from the rest of the server.
 *
 * @param door who may come in
 * @param requestMemory where large bodies are read into; its cap bounds them all together
 * @param memory who holds what, for {@code GET /v2/memory}
 * @param regions of shared memory that clients have registered
 */
public record HttpServices(
    InferenceGateway gateway,
    ModelCatalog catalog,
    RepositoryControl repository,
    FrontDoor door,
    BufferPool requestMemory,
    MemoryReport memory,
    SharedMemoryRegions regions) {}
