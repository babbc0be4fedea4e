package dev.conveyor.verticles.ensemble;

/** An ensemble that decodes photos, fits each into 4 by 4 grey pixels and looks at it. */
final class PhotosEnsemble {

  private PhotosEnsemble() {}

  static String config() {
    return """
        {"platform": "ensemble",
         "input": [{"name": "PHOTOS", "data_type": "TYPE_STRING", "dims": [-1]}],
         "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [-1, 1, 4, 4]},
                    {"name": "SIZE", "data_type": "TYPE_INT32", "dims": [-1, 2]}],
         "ensemble_scheduling": {"step": [
           {"model_name": "conveyor.decode", "input_map": {"image": "PHOTOS"},
            "output_map": {"image": "pixels"}},
           {"model_name": "conveyor.fit", "input_map": {"image": "pixels"},
            "output_map": {"image": "fitted", "size": "SIZE"}},
           {"model_name": "conveyor.normalize", "input_map": {"image": "fitted"},
            "output_map": {"image": "input"}},
           {"model_name": "look", "input_map": {"INPUT0": "input"},
            "output_map": {"OUTPUT0": "OUT"}}]},
         "parameters": {"step[0].color": {"string_value": "GRAY"},
           "step[1].sizes": {"string_value": "4x4"}},
         "conveyor": {"ensemble_step": [{"step": 0, "for_each": ["image"]}]}}""";
  }
}
