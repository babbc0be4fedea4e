package dev.conveyor.verticles.ensemble;

/** An ensemble that keeps the best boxes, cuts each out of the image and looks at it. */
final class CropsEnsemble {

  private CropsEnsemble() {}

  /**
   * Returns the configuration.
   *
   * @param limits more members of the step that cuts, each after a comma
   */
  static String config(String limits) {
    return """
        {"platform": "ensemble",
         "input": [{"name": "IMAGE", "data_type": "TYPE_FP32", "dims": [1, 1, 8, 8]},
                   {"name": "BOXES", "data_type": "TYPE_FP32", "dims": [1, -1, 4]},
                   {"name": "SCORES", "data_type": "TYPE_FP32", "dims": [1, -1, 1]}],
         "output": [{"name": "FOUND", "data_type": "TYPE_FP32", "dims": [-1, 4]},
                    {"name": "CROPS", "data_type": "TYPE_FP32", "dims": [-1, 1, 4, 4]}],
         "ensemble_scheduling": {"step": [
           {"model_name": "conveyor.nms", "input_map": {"boxes": "BOXES", "scores": "SCORES"},
            "output_map": {"boxes": "padded", "count": "count"}},
           {"model_name": "conveyor.take", "input_map": {"x": "padded", "count": "count"},
            "output_map": {"y": "FOUND"}},
           {"model_name": "conveyor.crop", "input_map": {"image": "IMAGE", "box": "FOUND"},
            "output_map": {"image": "crop"}},
           {"model_name": "look", "input_map": {"INPUT0": "crop"},
            "output_map": {"OUTPUT0": "CROPS"}}]},
         "parameters": {"step[0].max": {"string_value": "10000"},
           "step[0].iou": {"string_value": "1"},
           "step[2].width": {"string_value": "4"}, "step[2].height": {"string_value": "4"}},
         "conveyor": {"ensemble_step": [{"step": 2, "for_each": ["box"]%s}]}}"""
        .formatted(limits);
  }
}
