package dev.conveyor.verticles.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class ProbeTest {

  @Test
  void shouldCountWhatACulpritInAFullBatchCostsOverHttp() throws Exception {
    try (Probe probe = Probe.open()) {
      for (int place : new int[] {0, 16, 31}) {
        Probe.Culprit culprit = probe.culprit(place);
        assertThat(culprit.answered()).isEqualTo(31);
        assertThat(culprit.extra()).isBetween(5, 10);
      }
    }
  }
}
