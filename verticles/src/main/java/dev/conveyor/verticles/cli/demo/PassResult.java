package dev.conveyor.verticles.cli.demo;

import org.HdrHistogram.Histogram;

/**
 * What one way of asking came to.
 *
 * @param images inspected by both models
 * @param latencyNs from sending a request's images until both models had answered, once per image
 */
record PassResult(int images, long tookNs, Histogram latencyNs) {

  double imagesPerSecond() {
    return images / (tookNs / 1e9);
  }

  double latencyMs(double percentile) {
    return latencyNs.getValueAtPercentile(percentile) / 1e6;
  }
}
