package dev.conveyor.models.ensemble;

/** A tensor of a model or of the ensemble, and the slot that holds it. */
public record Binding(String name, int slot) {}
