package dev.conveyor.verticles.cli.demo;

/**
 * What the models say about one image.
 *
 * @param label the most probable class
 * @param confidence probability of that class
 * @param defectArea share of the pixels that belong to a defect
 */
record Verdict(String label, double confidence, double defectArea) {}
