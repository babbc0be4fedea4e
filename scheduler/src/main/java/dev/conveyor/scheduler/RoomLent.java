package dev.conveyor.scheduler;

/**
 * Published at {@link Addresses#LENT}: others may run in the room of an execution that takes long.
 *
 * @param key {@link ModelPlan#key} of its model
 * @param index of its instance
 * @param ageNs how long it runs
 */
public record RoomLent(String key, int index, long ageNs) {}
