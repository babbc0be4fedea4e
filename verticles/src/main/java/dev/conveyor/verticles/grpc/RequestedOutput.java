package dev.conveyor.verticles.grpc;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferRequest.InferRequestedOutputTensor;
import dev.conveyor.verticles.shm.RegionRef;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One output that a client asked for, checked against the model.
 *
 * @param classes number of classes to return instead of the tensor; 0 for the tensor
 * @param labels of the classes; empty if the model has none
 * @param batched the model's outputs have a batch dimension
 * @param region where its bytes go; null if they go with the answer
 */
record RequestedOutput(
    String name, int classes, List<String> labels, boolean batched, @Nullable RegionRef region) {

  /**
   * Returns what the request asks for, in its order; empty if it leaves that to the model.
   *
   * @throws InferenceException if the model or an output is unknown, or a parameter is wrong
   */
  static List<RequestedOutput> of(ModelInferRequest request, ModelCatalog catalog) {
    int count = request.getOutputsCount();
    if (count == 0) {
      return List.of();
    }
    ServedModel served = catalog.find(request.getModelName(), request.getModelVersion());
    List<RequestedOutput> outputs = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      InferRequestedOutputTensor asked = request.getOutputs(i);
      requireKnown(served, asked.getName());
      if (!contains(outputs, asked.getName())) {
        outputs.add(checked(served, asked));
      }
    }
    return outputs;
  }

  private static RequestedOutput checked(ServedModel served, InferRequestedOutputTensor asked) {
    int classes = 0;
    if (asked.getParametersCount() > 0) {
      InferParameter parameter = asked.getParametersMap().get("classification");
      if (parameter != null) {
        long asMany = CallParameters.integer("classification", parameter);
        classes = (int) Math.min(asMany, Integer.MAX_VALUE);
      }
    }
    RegionRef region = CallParameters.region(asked.getName(), asked.getParametersMap());
    if (region != null) {
      RegionRef.refuseClasses(asked.getName(), classes);
    }
    return new RequestedOutput(
        asked.getName(),
        classes,
        served.labels().getOrDefault(asked.getName(), List.of()),
        served.signature().batches(),
        region);
  }

  private static void requireKnown(ServedModel served, String name) {
    List<TensorSpec> specs = served.signature().outputs();
    for (int i = 0; i < specs.size(); i++) {
      if (specs.get(i).name().equals(name)) {
        return;
      }
    }
    throw InferenceException.invalid(
        "unexpected inference output '" + name + "' for model '" + served.name() + "'");
  }

  private static boolean contains(List<RequestedOutput> outputs, String name) {
    for (int i = 0; i < outputs.size(); i++) {
      if (outputs.get(i).name.equals(name)) {
        return true;
      }
    }
    return false;
  }
}
