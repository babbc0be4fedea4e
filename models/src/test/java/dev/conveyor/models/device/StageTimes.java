package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import java.util.List;

/** Expects these times. */
record StageTimes(long copyInNs, long computeNs, long copyOutNs) implements PipelineListener {

  @Override
  public void onResult(List<? extends BatchRequest> requests, BatchResult result) {
    assertThat(result.copyInNs()).isEqualTo(copyInNs);
    assertThat(result.computeNs()).isEqualTo(computeNs);
    assertThat(result.copyOutNs()).isEqualTo(copyOutNs);
    result.outputs().forEach(outputs -> outputs.forEach(Tensor::close));
  }

  @Override
  public void onFailure(List<? extends BatchRequest> requests, ExecutionException failure) {
    throw failure;
  }
}
