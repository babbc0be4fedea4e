package dev.conveyor.models.backend;

import dev.conveyor.memory.MemoryBudget;
import java.util.Map;

/**
 * How to load a model on one device.
 *
 * @param owner tag of its reservations in the ledger
 * @param intraOpThreads threads of one execution, the caller's included; at least 1
 * @param budget ledger of the device; what the model holds is reserved there until it is closed
 * @param parameters the configuration's free-form parameters
 */
public record LoadOptions(
    String owner, int intraOpThreads, MemoryBudget budget, Map<String, String> parameters) {}
