package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.verticles.ServedModel;

/** One version with its weights in memory, not yet deployed. The holder closes the weights. */
record LoadedVersion(ServedModel served, LoadedModel weights, InstancePlan plan) {}
