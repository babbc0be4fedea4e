package dev.conveyor.models.optimize.quantize;

/** The values that a quantised tensor can hold; what lies outside is cut off. */
public record Range(float min, float max) {}
