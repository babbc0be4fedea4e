package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.networknt.schema.InputFormat;
import com.networknt.schema.JsonSchema;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The schema of a model's configuration and its reader are written apart; they have to agree. */
class ModelSchemaTest {

  private static final JsonSchema SCHEMA = Schemas.schema("model-config");
  private static final String ENSEMBLE =
      "{'platform': 'ensemble', 'input': [{'name': 'x', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
          + " 'output': [{'name': 'y', 'data_type': 'TYPE_FP32', 'dims': [4]}], ";
  private static final String STEP =
      "{'model_name': 'a', 'input_map': {'i': 'x'}, 'output_map': {'o': 'y'}}";

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{'$schema': '../../schema/model-config.schema.json', 'max_batch_size': 4}",
        "{'name': 'm', 'backend': 'onnxruntime', 'platform': 'onnxruntime_onnx'}",
        "{'max_batch_size': 0}",
        "{'max_batch_size': 65536}",
        "{'input': [{'name': 'x', 'data_type': 'TYPE_BF16', 'dims': [-1, '3', 2]}]}",
        "{'input': [{'name': 'x', 'optional': false, 'format': 'FORMAT_NHWC', 'dims': [1,2,3]}]}",
        "{'input': [{'name': 'x', 'dims': [3, 2], 'reshape': {'shape': [1, '6']}}]}",
        "{'output': [{'name': 'x', 'dims': [1], 'reshape': {'shape': []}}]}",
        "{'instance_group': [{'passive': true, 'host_policy': 'a', 'profile': ['1', '12'],"
            + " 'rate_limiter': {'resources': [{'name': 'r', 'global': true, 'count': 2}],"
            + " 'priority': 1}}], 'response_cache': {'enable': true}}",
        "{'optimization': {'execution_accelerators': {'cpu_execution_accelerator':"
            + " [{'name': 'openvino'}]}}}",
        "{'input': [{'name': 'x', 'is_shape_tensor': false, 'allow_ragged_batch': false}]}",
        "{'output': [{'name': 'y', 'label_filename': 'labels.txt'}, {'name': 'z'}]}",
        "{'batch_input': [], 'batch_output': [], 'response_cache': {'enable': false}}",
        "{'dynamic_batching': {}}",
        "{'dynamic_batching': {'preferred_batch_size': [2], 'max_queue_delay_microseconds': '9'}}",
        "{'dynamic_batching': {'priority_levels': 1, 'default_priority_level': '1',"
            + " 'priority_queue_policy': {'1': {'timeout_action': 'DELAY'}}}}",
        "{'instance_group': [{'kind': 'KIND_GPU', 'count': 2, 'gpus': [0]}, {'count': 0}]}",
        "{'instance_group': [{'kind': 'KIND_GPU', 'gpu_uuids': ['GPU-8f1c', 'MIG-5c1e-7a']}]}",
        "{'version_policy': {'latest': {}}}",
        "{'version_policy': {'all': {}}}",
        "{'version_policy': {'specific': {'versions': [1, '2']}}}",
        "{'model_warmup': [{'name': 'w', 'batch_size': 1, 'inputs': {"
            + "'x': {'data_type': 'TYPE_INT64', 'dims': [1], 'zero_data': true}}}]}",
        "{'parameters': {'a': {'string_value': 'b'}, 'c': {}}}",
        "{'platform': 'tensorrt_plan', 'backend': 'tensorrt'}",
        "{'optimization': {'execution_accelerators': {'gpu_execution_accelerator':"
            + " [{'name': 'tensorrt', 'parameters': {'precision_mode': 'FP16'}}]}}}",
        "{'optimization': {'execution_accelerators': {'gpu_execution_accelerator':"
            + " [{'name': 'cuda', 'parameters': {'cudnn_conv_algo_search': '1'}}]}}}",
        "{'optimization': {'priority': 'PRIORITY_MAX'}}",
        "{'optimization': {'cuda': {'graphs': true}, 'input_pinned_memory': {'enable': true}}}",
        "{'metric_tags': {'a': 'b'}, 'cc_model_filenames': {'8.0': 'x'}, 'runtime': ''}",
        "{'model_metrics': {'metric_control': [{'histogram_options': {'buckets': [1, 2.5]}}]}}",
        "{'default_model_filename': ''}",
        ENSEMBLE + "'ensemble_scheduling': {'step': [" + STEP + "]}}",
        ENSEMBLE
            + "'ensemble_scheduling': {'max_inflight_requests': 3, 'step': [{'model_name': 'a',"
            + " 'model_version': '2', 'input_map': {'i': 'x'}, 'output_map': {'o': 'y'}}]}}",
        ENSEMBLE
            + "'ensemble_scheduling': {'step': ["
            + STEP
            + "]}, 'conveyor': {'ensemble_step': ["
            + "{'step': 0, 'for_each': ['i'], 'max_items': 9, 'on_excess': 'TRUNCATE'}]}}",
        ENSEMBLE
            + "'ensemble_scheduling': {'step': ["
            + STEP
            + "]},"
            + " 'conveyor': {'ensemble_step': [{'join': true, 'when': 'x'}]}}",
        ENSEMBLE
            + "'ensemble_scheduling': {'step': ["
            + STEP
            + "]}, 'conveyor': {'ensemble_step': [{'unless': 'x', 'when': ''}]}}",
        "{'conveyor': {'intra_op_threads': 1, 'idle_intra_op_threads': 4, 'weight': 0.25}}",
        "{'conveyor': {'admission': {}}}",
        "{'conveyor': {'admission': {'max_queue_bytes': '1', 'target_queue_delay_microseconds': 5,"
            + " 'overload_interval_microseconds': 1, 'quota': {'requests_per_second': 0.5}}}}",
        "{'instance_group': [{'isolation': 'process'}, {'isolation': 'process', 'count': 2}]}",
        "{'instance_group': [{'isolation': 'none'}], 'conveyor': {'verify': 'process'}}",
        "{'conveyor': {'process': {'max_memory_bytes': 536870912, 'max_open_files': 256,"
            + " 'cpu_set': '0,2-3', 'heartbeat_timeout_ms': 1000}, 'verify': 'none'}}",
        "{'conveyor': {'residency': 'on_demand', 'memory_limit_bytes': 100000}}",
        "{'conveyor': {'residency': 'resident', 'memory_limit_bytes': '0'}}",
        "{'conveyor': {'min_count': 1, 'max_count': 4}}",
        "{'conveyor': {'max_count': 4}}",
        "{'conveyor': {'hedging': {}}}",
        "{'conveyor': {'hedging': {'after_percentile': 99, 'max_share': 0.1}}}",
        "{'conveyor': {'rollout': {'candidate': 2, 'shadow_share': 0.5}}}",
        "{'conveyor': {'rollout': {'candidate': '2', 'canary_share': 1, 'shadow_limit': 8,"
            + " 'tolerance': 0.1, 'min_agreement': 1, 'max_error_rate': 0, 'max_p99_ratio': 1.5,"
            + " 'min_requests': 10}}}",
        "{'conveyor': {'preprocessing': [{'input': 'x', 'height': 8, 'width': 8,"
            + " 'color': 'GRAY', 'mean': [1.5], 'pad_value': 255, 'mode': 'LETTERBOX',"
            + " 'device': 'AUTO'}]}}",
        "{'conveyor': {'preprocessing': [{'input': 'x', 'mode': 'PAD', 'sizes':"
            + " [{'width': 8, 'height': 8}, {'width': 16, 'height': 8}],"
            + " 'boxes': [{'output': 'b', 'units': 'NORMALIZED'}]}]}}",
      })
  void shouldAcceptModelConfigurationsThatTheReaderAccepts(String sample) {
    String json = sample.replace('\'', '"');

    assertThat(SCHEMA.validate(json, InputFormat.JSON)).isEmpty();
    assertThatCode(() -> ModelConfigReader.read("m", json)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[]",
        "{'$schema': {}}",
        "{'conveyor': {'$schema': 's'}}",
        "{'max_batch': 1}",
        "{'maxBatchSize': 1}",
        "{'max_batch_size': '1'}",
        "{'max_batch_size': -1}",
        "{'max_batch_size': 65537}",
        "{'max_batch_size': 2147483648}",
        "{'max_batch_size': null}",
        "{'name': 1}",
        "{'backend': 'pytorch'}",
        "{'platform': 'pytorch_libtorch'}",
        "{'input': {}}",
        "{'input': [{}]}",
        "{'instance_group': [{'gpus': ['GPU-8f1c']}]}",
        "{'instance_group': [{'gpu_uuids': [0]}]}",
        "{'instance_group': [{'gpu_uuids': ['8f1c']}]}",
        "{'instance_group': [{'gpu_uuids': ['GPU-']}]}",
        "{'instance_group': [{'kind': 'KIND_CPU', 'gpu_uuids': ['GPU-8f1c']}]}",
        "{'input': [{'name': ''}]}",
        "{'input': [{'name': 'x', 'data_type': 'FP32'}]}",
        "{'input': [{'name': 'x', 'dims': [0]}]}",
        "{'input': [{'name': 'x', 'dims': [-2]}]}",
        "{'input': [{'name': 'x', 'dims': ['a']}]}",
        "{'input': [{'name': 'x', 'dims': [1.5]}]}",
        "{'input': [{'name': 'x', 'optional': true}]}",
        "{'input': [{'name': 'x', 'dims': [1], 'reshape': {'shape': [0]}}]}",
        "{'optimization': {'execution_accelerators': {'gpu_execution_accelerator':"
            + " [{'name': 'tensorRT'}]}}}",
        "{'optimization': {'execution_accelerators': {'cpu_execution_accelerator':"
            + " [{'name': 'onednn'}]}}}",
        "{'input': [{'name': 'x', 'is_shape_tensor': true}]}",
        "{'input': [{'name': 'x', 'label_filename': 'l'}]}",
        "{'output': [{'name': 'x', 'label_filename': 'a/b'}]}",
        "{'output': [{'name': 'x', 'label_filename': '..'}]}",
        "{'output': [{'name': 'x', 'optional': true}]}",
        "{'batch_input': [{}]}",
        "{'sequence_batching': {}}",
        "{'ensemble_scheduling': {}}",
        "{'platform': 'ensemble'}",
        "{'platform': 'ensemble', 'ensemble_scheduling': {'step': [" + STEP + "]}}",
        ENSEMBLE + "'ensemble_scheduling': {'step': []}}",
        ENSEMBLE + "'dynamic_batching': {}, 'ensemble_scheduling': {'step': [" + STEP + "]}}",
        ENSEMBLE + "'ensemble_scheduling': {'step': [" + STEP + "], 'max_inflight_requests': -1}}",
        ENSEMBLE + "'ensemble_scheduling': {'step': [{'model_name': 'a'}]}}",
        ENSEMBLE
            + "'ensemble_scheduling': {'step': ["
            + STEP
            + "]},"
            + " 'conveyor': {'ensemble_step': [{'step': 0}]}}",
        ENSEMBLE
            + "'ensemble_scheduling': {'step': ["
            + STEP
            + "]},"
            + " 'conveyor': {'ensemble_step': [{'for_each': ['i'], 'max_items': 65537}]}}",
        ENSEMBLE
            + "'ensemble_scheduling': {'step': ["
            + STEP
            + "]},"
            + " 'conveyor': {'ensemble_step': [{'join': true, 'max_items': 7}]}}",
        ENSEMBLE
            + "'ensemble_scheduling': {'step': ["
            + STEP
            + "]}, 'conveyor': {'ensemble_step': [{'unless': 'x', 'when': 'y'}]}}",
        ENSEMBLE
            + "'ensemble_scheduling': {'step': ["
            + STEP
            + "]},"
            + " 'conveyor': {'ensemble_step': [{'for_each': ['i'], 'on_excess': 'DROP'}]}}",
        "{'dynamic_batching': {'preferred_batch_size': [0]}}",
        "{'dynamic_batching': {'max_queue_delay_microseconds': -1}}",
        "{'dynamic_batching': {'max_queue_delay_microseconds': 'soon'}}",
        "{'dynamic_batching': {'default_queue_policy': {'timeout_action': 'DROP'}}}",
        "{'dynamic_batching': {'priority_queue_policy': {'0': {}}}}",
        "{'instance_group': [{'kind': 'KIND_MODEL'}]}",
        "{'instance_group': [{'kind': 'KIND_CPU', 'gpus': [1]}]}",
        "{'instance_group': [{'count': -1}]}",
        "{'instance_group': [{'passive': 1}]}",
        "{'version_policy': {'all': {}, 'latest': {}}}",
        "{'version_policy': {'specific': {}}}",
        "{'version_policy': {'specific': {'versions': []}}}",
        "{'version_policy': {'specific': {'versions': [0]}}}",
        "{'model_warmup': [{'inputs': {'x': {'dims': [1], 'zero_data': true}}}]}",
        "{'model_warmup': [{'inputs': {'x': {'data_type': 'TYPE_FP32'}}}]}",
        "{'model_warmup': [{'inputs': {'x': {'data_type': 'TYPE_FP32', 'zero_data': true,"
            + " 'random_data': true}}}]}",
        "{'model_warmup': [{'inputs': {'x': {'data_type': 'TYPE_FP32', 'dims': [-1],"
            + " 'zero_data': true}}}]}",
        "{'parameters': {'a': 'b'}}",
        "{'parameters': {'conveyor': {'string_value': '{}'}}}",
        "{'model_transaction_policy': {'decoupled': true}}",
        "{'instance_group': [{'isolation': 'container'}]}",
        "{'conveyor': {'verify': 'Process'}}",
        "{'conveyor': {'process': {'max_memory_bytes': 1}}}",
        "{'conveyor': {'process': {'max_open_files': 3}}}",
        "{'conveyor': {'process': {'cpu_set': '0; rm'}}}",
        "{'conveyor': {'process': {'heartbeat_timeout_ms': 10}}}",
        "{'conveyor': {'process': {'memory': 1}}}",
        "{'conveyor': {'intra_op_threads': -1}}",
        "{'conveyor': {'idle_intra_op_threads': -1}}",
        "{'conveyor': {'weight': 0}}",
        "{'conveyor': {'admission': {'max_queue_bytes': -1}}}",
        "{'conveyor': {'admission': {'target_queue_delay_microseconds': 86400000001}}}",
        "{'conveyor': {'admission': {'overload_interval_microseconds': 0}}}",
        "{'conveyor': {'admission': {'quota': {}}}}",
        "{'conveyor': {'admission': {'quota': {'requests_per_second': 0}}}}",
        "{'conveyor': {'admission': {'quota': {'requests_per_second': 5, 'burst': 0.5}}}}",
        "{'conveyor': {'residency': 'cold'}}",
        "{'conveyor': {'min_count': -1, 'max_count': 4}}",
        "{'conveyor': {'max_count': 1025}}",
        "{'conveyor': {'hedging': {'after_percentile': 100}}}",
        "{'conveyor': {'hedging': {'max_share': 0}}}",
        "{'conveyor': {'rollout': {'candidate': 2}}}",
        "{'conveyor': {'rollout': {'shadow_share': 0.5}}}",
        "{'conveyor': {'rollout': {'candidate': 2, 'canary_share': 1.5}}}",
        "{'conveyor': {'rollout': {'candidate': 2, 'canary_share': 1, 'max_p99_ratio': 0.5}}}",
        "{'conveyor': {'memory_limit_bytes': -1}}",
        "{'conveyor': {'weight': '1'}}",
        "{'conveyor': {'preprocessing': [{'input': 'x', 'height': 8}]}}",
        "{'conveyor': {'preprocessing': [{'input': 'x', 'height': 8, 'width': 8, 'mean': [1]}]}}",
        "{'conveyor': {'preprocessing': [{'input': 'x', 'height': 8, 'width': 8,"
            + " 'pad_value': 256}]}}",
        "{'conveyor': {'preprocessing': [{'input': 'x', 'height': 8, 'width': 8,"
            + " 'device': 'TPU'}]}}",
        "{'conveyor': {'preprocessing': [{'input': 'x', 'height': 8, 'width': 8,"
            + " 'data_type': 'TYPE_FP16'}]}}",
      })
  void shouldRefuseModelConfigurationsThatTheReaderRefuses(String sample) {
    String json = sample.replace('\'', '"');

    assertThat(SCHEMA.validate(json, InputFormat.JSON)).isNotEmpty();
    assertThatThrownBy(() -> ModelConfigReader.read("m", json)).isInstanceOf(ConfigException.class);
  }
}
