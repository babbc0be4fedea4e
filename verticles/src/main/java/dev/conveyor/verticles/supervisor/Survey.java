package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.config.ModelMemory.Residency;
import dev.conveyor.verticles.ServedModel;
import java.util.List;

/**
 * What is known of a model that is not loaded.
 *
 * @param expectedBytes the least that it will hold: its files, and its slabs if it is evictable
 * @param cold its versions as they wait for their first request; none for a pinned model
 */
record Survey(Residency residency, long expectedBytes, List<ServedModel> cold) {
  Survey {
    cold = List.copyOf(cold);
  }
}
