package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonMistakesTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        // json | key | part of the problem
        "{'max_batch': 4} | max_batch | unknown key, did you mean \"max_batch_size\"?",
        "{'maxBatchSize': 4} | maxBatchSize | unknown key, did you mean \"max_batch_size\"?",
        "{'conveyer': {}} | conveyer | did you mean \"conveyor\"?",
        "{'zzz': 1} | zzz | unknown key, known here: name, platform",
        "{'input': [{'name': 'a', 'dim': [1]}]} | input[0].dim | did you mean \"dims\"?",
        "{'max_batch_size': '4'} | max_batch_size | found \"4\"",
        "{'max_batch_size': 4.5} | max_batch_size | expected an integer from -2147483648 to",
        "{'max_batch_size': -1} | max_batch_size | expected 0 to 65536, found -1",
        "{'max_batch_size': 65537} | max_batch_size | expected 0 to 65536, found 65537",
        "{'max_batch_size': 3000000000} | max_batch_size | found 3000000000",
        "{'max_batch_size': 99999999999999999999} | max_batch_size | found 99999999999999999999",
        "{'max_batch_size': null} | max_batch_size | found null",
        "{'max_batch_size': true} | max_batch_size | found true",
        "{'max_batch_size': 1, 'max_batch_size': 1} | max_batch_size | there twice",
        "{'name': 'other'} | name | expected \"m\", the name of the directory, found \"other\"",
        "{'name': 7} | name | expected a string, found 7",
        "{'input': {}} | input | expected an array, found an object",
        "{'input': [7]} | input[0] | expected an object, found 7",
        "{'input': [{}]} | input[0].name | expected the name of a tensor",
        "{'input': [{'name': 'a'}, {'name': 'a'}]} | input[1].name | there twice",
        "{'input': [{'name': 'a', 'dims': [1, 'x']}]} | input[0].dims[1] | found \"x\"",
        "{'input': [{'name': 'a', 'dims': [1, 0]}]} | input[0].dims[1] | expected 1 or more, or -1",
        "{'input': [{'name': 'a', 'dims': [-2]}]} | input[0].dims[0] | found -2",
        "{'input': [{'name': 'a', 'data_type': 'FP32'}]} | input[0].data_type | did you mean \"TYPE_FP32\"?",
        "{'input': [{'name': 'a', 'data_type': 11}]} | input[0].data_type | found 11",
        "{'input': [{'name': 'a', 'format': 'FORMAT_NCHW', 'dims': [3]}]} | input[0].dims | 3 dimensions",
        "{'input': [{'name': 'a', 'optional': 'yes'}]} | input[0].optional | expected true or false",
        "{'input': [{'name': 'a', 'optional': true}]} | input[0].optional | models need every input",
        "{'input': [{'name': 'a', 'reshape': {'shape': [1]}}]} | input[0].dims | expected the shape that clients see, beside reshape",
        "{'input': [{'name': 'a', 'dims': [2, 3], 'reshape': {'shape': [5]}}]} | input[0].reshape.shape | as many elements as dims=[2,3], and any size where that has it, found [5]",
        "{'output': [{'name': 'a', 'dims': [-1, 3], 'reshape': {'shape': [3, -1]}}]} | output[0].reshape.shape | found [3,-1]",
        "{'output': [{'name': 'a', 'dims': [1], 'reshape': {'shape': [0]}}]} | output[0].reshape.shape[0] | found 0",
        "{'platform': 'ensemble', 'input': [{'name': 'a', 'dims': [1], 'reshape': {'shape': [1, 1]}}], 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': 'z'}}]}} | input[0].reshape | not for an ensemble",
        "{'parameters': {'execution_provider': {'string_value': 'abacus'}}} | parameters.execution_provider | one of [cpu, cuda, dnnl], found \"abacus\"",
        "{'parameters': {'intra_op_thread_count': {'string_value': 'two'}}} | parameters.intra_op_thread_count | whole number from 0 to 2147483647, found \"two\"",
        "{'parameters': {'gpu_mem_limit': {'string_value': '0'}}} | parameters.gpu_mem_limit | whole number from 1, found \"0\"",
        "{'optimization': {'execution_accelerators': {'gpu_execution_accelerator': [{'name': 'tensorRT'}]}}} | optimization.execution_accelerators.gpu_execution_accelerator[0].name | expected cuda or tensorrt, found \"tensorRT\"",
        "{'optimization': {'execution_accelerators': {'cpu_execution_accelerator': [{'name': 'vino'}]}}} | optimization.execution_accelerators.cpu_execution_accelerator[0].name | expected openvino",
        "{'input': [{'name': 'a', 'allow_ragged_batch': true}]} | input[0].allow_ragged_batch | not supported",
        "{'output': [{'name': 'a', 'label_filename': '../x'}]} | output[0].label_filename | plain file name",
        "{'default_model_filename': '..'} | default_model_filename | plain file name",
        "{'dynamic_batching': {'preferred_batch_size': [4, 0]}} | dynamic_batching.preferred_batch_size[1] | found 0",
        "{'max_batch_size': 4, 'dynamic_batching': {'preferred_batch_size': [4, 8]}} | dynamic_batching.preferred_batch_size[1] | expected at most max_batch_size=4, found 8",
        "{'dynamic_batching': {'max_queue_delay_microseconds': -1}} | dynamic_batching.max_queue_delay_microseconds | found -1",
        "{'dynamic_batching': {'max_queue_delay_microseconds': '-1'}} | dynamic_batching.max_queue_delay_microseconds | at least 0",
        "{'dynamic_batching': {'max_queue_delay_microseconds': 9223372036854775807}} | dynamic_batching.max_queue_delay_microseconds | expected at most 9223372036854775",
        "{'dynamic_batching': {'priority_levels': 2}} | dynamic_batching.default_priority_level | expected 1 to priority_levels=2, found 0",
        "{'dynamic_batching': {'default_queue_policy': {'timeout_action': 'DROP'}}} | dynamic_batching.default_queue_policy.timeout_action | one of [REJECT, DELAY]",
        "{'dynamic_batching': {'priority_queue_policy': {'one': {}}}} | dynamic_batching.priority_queue_policy.one | expected an integer",
        "{'dynamic_batching': {'priority_queue_policy': {'1': {}}}} | dynamic_batching.priority_queue_policy | found level 1",
        "{'dynamic_batching': {}, 'sequence_batching': {}} | sequence_batching | excludes dynamic_batching",
        "{'sequence_batching': {}} | sequence_batching | not supported",
        "{'platform': '', 'ensemble_scheduling': {'step': []}} | platform | expected \"ensemble\"",
        "{'platform': 'ensemble'} | platform | needs ensemble_scheduling",
        "{'platform': 'ensemble', 'ensemble_scheduling': {'step': []}} | ensemble_scheduling.step | at least one step",
        "{'platform': 'ensemble', 'ensemble_scheduling': {'step': [{}]}} | ensemble_scheduling.step[0].model_name | the name of a model",
        "{'platform': 'ensemble', 'ensemble_scheduling': {'step': [{'model_name': 'a', 'model_version': -2}]}} | ensemble_scheduling.step[0].model_version | found -2",
        "{'platform': 'ensemble', 'ensemble_scheduling': {'step': [{'model_name': 'a'}]}} | ensemble_scheduling.step[0].input_map | found nothing",
        "{'platform': 'ensemble', 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': ''}}]}} | ensemble_scheduling.step[0].output_map | two names",
        "{'platform': 'ensemble', 'input': [], 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': 'z'}}]}} | input | the inputs of the ensemble",
        "{'platform': 'ensemble', 'instance_group': [{}], 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': 'z'}}]}} | instance_group | not for an ensemble",
        "{'conveyor': {'idle_intra_op_threads': -1}} | conveyor.idle_intra_op_threads | 0 or more",
        "{'instance_group': [{'isolation': 'process'}], 'conveyor': {'idle_intra_op_threads': 2}} | conveyor.idle_intra_op_threads | none with isolation",
        "{'conveyor': {'latency_percentile': 99.9}} | conveyor.latency_percentile | at most 99",
        "{'platform': 'ensemble', 'conveyor': {'latency_percentile': 95}, 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': 'z'}}]}} | conveyor.latency_percentile | not for an ensemble",
        "{'platform': 'ensemble', 'conveyor': {'priority_class': 'CRITICAL'}, 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': 'z'}}]}} | conveyor.priority_class | not for an ensemble",
        "{'platform': 'ensemble', 'conveyor': {'priority_ageing_microseconds': 5}, 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': 'z'}}]}} | conveyor.priority_ageing_microseconds | not for an ensemble",
        "{'conveyor': {'ensemble_step': [{'join': true}]}} | conveyor.ensemble_step | not without ensemble_scheduling",
        "{'conveyor': {'ensemble_step': [{'step': 1}]}} | conveyor.ensemble_step[0] | for_each, join, when or unless",
        "{'conveyor': {'ensemble_step': [{'when': 'a', 'unless': 'b'}]}} | conveyor.ensemble_step[0].unless | not with when",
        "{'conveyor': {'ensemble_step': [{'step': -1, 'join': true}]}} | conveyor.ensemble_step[0].step | found -1",
        "{'conveyor': {'ensemble_step': [{'for_each': ['a'], 'max_items': 0}]}} | conveyor.ensemble_step[0].max_items | found 0",
        "{'conveyor': {'ensemble_step': [{'when': 'a', 'on_excess': 'TRUNCATE'}]}} | conveyor.ensemble_step[0].max_items | need for_each",
        "{'conveyor': {'ensemble_step': [{'for_each': ['a', 'a']}]}} | conveyor.ensemble_step[0].for_each | each once",
        "{'platform': 'ensemble', 'input': [{'name': 'a'}], 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': 'z'}}]}, 'conveyor': {'ensemble_step': [{'step': 1, 'join': true}]}} | conveyor.ensemble_step[0].step | 0 to 0",
        "{'platform': 'ensemble', 'input': [{'name': 'a'}], 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': 'z'}}]}, 'conveyor': {'ensemble_step': [{'join': true}, {'join': true}]}} | conveyor.ensemble_step[1].step | there twice",
        "{'platform': 'ensemble', 'input': [{'name': 'a'}], 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': 'z'}}]}, 'conveyor': {'ensemble_step': [{'for_each': ['y']}]}} | conveyor.ensemble_step[0].for_each | inputs of step 0, [x], found",
        "{'platform': 'ensemble', 'max_batch_size': 4, 'ensemble_scheduling': {'step': [{'model_name': 'a', 'input_map': {'x': 'y'}, 'output_map': {'x': 'z'}}]}, 'conveyor': {'ensemble_step': [{'for_each': ['x']}]}} | max_batch_size | 0 for an ensemble with a fan-out",
        "{'backend': 'python'} | backend | \"python\" is not supported",
        "{'platform': 'pytorch_libtorch'} | platform | not supported",
        "{'model_transaction_policy': {'decoupled': true}} | model_transaction_policy.decoupled | not supported",
        "{'model_operations': {'op_library_filename': ['a.so']}} | model_operations.op_library_filename | not supported",
        "{'batch_input': [{}]} | batch_input | not supported",
        "{'instance_group': [{'kind': 'KIND_MODEL'}]} | instance_group[0].kind | KIND_MODEL is not supported",
        "{'instance_group': [{}, {'count': -1}]} | instance_group[1].count | expected 1 or more, found -1",
        "{'instance_group': [{'kind': 'KIND_CPU', 'gpus': [0]}]} | instance_group[0].gpus | KIND_CPU",
        "{'instance_group': [{'gpus': [-1]}]} | instance_group[0].gpus[0] | 0 or more",
        "{'backend': 'tensorrt', 'instance_group': [{'profile': ['1', 'fast']}]} | instance_group[0].profile[1] | the number of an optimisation profile, from \"0\", found \"fast\"",
        "{'platform': 'tensorrt_plan', 'instance_group': [{'kind': 'KIND_CPU'}, {'profile': ['0', '1']}, {'profile': ['1', '0']}]} | instance_group[2].profile | expected [0, 1] as in the first group on GPUs, since any instance is given any batch, found [1, 0]",
        "{'version_policy': {'latest': {'num_versions': -1}}} | version_policy.latest.num_versions | found -1",
        "{'version_policy': {'specific': {'versions': [0]}}} | version_policy.specific.versions[0] | found 0",
        "{'version_policy': {'specific': {}}} | version_policy.specific.versions | at least one version",
        "{'version_policy': {'all': {}, 'latest': {}}} | version_policy.latest | excludes all",
        "{'model_warmup': [{'inputs': {'x': {}}}]} | model_warmup[0].inputs.x.data_type | found nothing",
        "{'model_warmup': [{'inputs': {'x': {'data_type': 'TYPE_FP32'}}}]} | model_warmup[0].inputs.x | zero_data, random_data or input_data_file",
        "{'model_warmup': [{'inputs': {'x': {'data_type': 'TYPE_FP32', 'dims': [-1], 'zero_data': true}}}]} | model_warmup[0].inputs.x.dims | fixed dimensions",
        "{'model_warmup': [{'inputs': {'x': {'data_type': 'TYPE_FP32', 'input_data_file': '/etc/passwd'}}}]} | model_warmup[0].inputs.x.input_data_file | plain file name",
        "{'parameters': {'a': 'b'}} | parameters.a | expected an object, found \"b\"",
        "{'parameters': {'conveyor': {}}} | parameters.conveyor | reserved",
        "{'conveyor': {'weight': 0}} | conveyor.weight | found 0.0",
        "{'conveyor': {'residency': 'cold'}} | conveyor.residency | found \"cold\"",
        "{'conveyor': {'memory_limit_bytes': -1}} | conveyor.memory_limit_bytes | found -1",
        "{'conveyor': {'min_count': 2}} | conveyor.max_count | expected min_count, which is 2, to 1024, found 0",
        "{'conveyor': {'min_count': 3, 'max_count': 2}} | conveyor.max_count | found 2",
        "{'conveyor': {'rollout': {'candidate': 2}}} | conveyor.rollout.candidate | a shadow_share or a canary_share",
        "{'conveyor': {'rollout': {'shadow_share': 0.5}}} | conveyor.rollout.candidate | found nothing",
        "{'conveyor': {'rollout': {'candidate': 2, 'shadow_share': 1.5}}} | conveyor.rollout.shadow_share | from 0 to 1, found 1.5",
        "{'conveyor': {'rollout': {'candidate': 2, 'canary_share': 1, 'shadow_limit': 0}}} | conveyor.rollout.shadow_limit | found 0",
        "{'conveyor': {'rollout': {'candidate': 2, 'canary_share': 1, 'max_p99_ratio': 0.9}}} | conveyor.rollout.max_p99_ratio | found 0.9",
        "{'conveyor': {'hedging': {'after_percentile': 49}}} | conveyor.hedging.after_percentile | expected a number from 50 to 99, found 49",
        "{'conveyor': {'hedging': {'after_percentile': 0}}} | conveyor.hedging.after_percentile | from 50 to 99, found 0",
        "{'conveyor': {'hedging': {'max_share': 0}}} | conveyor.hedging.max_share | above 0 and at most 1, found 0",
        "{'conveyor': {'hedging': {}}, 'dynamic_batching': {'preserve_ordering': true}} | conveyor.hedging | none beside dynamic_batching.preserve_ordering",
        "{'conveyor': {'max_count': 1025}} | conveyor.max_count | found 1025",
        "{'conveyor': {'weight': 1e999}} | conveyor.weight | expected a number below",
        "{'conveyor': {'weights': 1}} | conveyor.weights | did you mean \"weight\"?",
        "{'conveyor': {'preprocessing': [{'height': 1, 'width': 1}]}} | conveyor.preprocessing[0].input | found nothing",
        "{'conveyor': {'preprocessing': [{'input': 'x', 'width': 1}]}} | conveyor.preprocessing[0].height | expected 1 or more, found 0",
        "{'conveyor': {'preprocessing': [{'input': 'x', 'height': 1, 'width': 1, 'mean': [1]}]}} | conveyor.preprocessing[0].mean | expected 3 values for RGB, found 1",
        "{'conveyor': {'preprocessing': [{'input': 'x', 'height': 1, 'width': 1, 'data_type': 'TYPE_FP16'}]}} | conveyor.preprocessing[0].data_type | found TYPE_FP16",
      })
  void shouldNameKeyExpectedAndFoundWhenAValueIsWrong(String json, String key, String problem) {
    ConfigException refused = refused(json.replace('\'', '"'));

    assertThat(refused.key()).isEqualTo(key);
    assertThat(refused.problem()).contains(problem);
    assertThat(refused.line()).isEqualTo(1);
    assertThat(refused).hasMessageStartingWith(refused.file() + ":1: " + key + ": ");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[] | expected an object, found an array",
        "{} {} | expected the end of the file",
        "{\"name\": } | not JSON",
        "{\"name\": \"m\" | not JSON",
        "{'name': 1} | not JSON",
        "{\"max_batch_size\": 01} | not JSON",
        "{\"max_batch_size\": NaN} | not JSON",
        "{/* no comments */} | not JSON",
      })
  void shouldRefuseWhatIsNotOneJsonObject(String json, String problem) {
    assertThat(refused(json).problem()).contains(problem);
  }

  @Test
  void shouldRefuseAnEmptyText() {
    assertThat(refused("").problem()).isEqualTo("expected an object, found nothing");
  }

  @Test
  void shouldRefuseDeepNestingWithoutOverflow() {
    assertThat(refused("{\"input\":" + "[".repeat(100_000))).isNotNull();
  }

  @Test
  void shouldShortenWhatWasFound() {
    ConfigException refused = refused("{\"max_batch_size\": \"" + "x".repeat(10_000) + "\"}");

    assertThat(refused.found()).hasSizeLessThan(100);
  }

  @Test
  void shouldNameTheLineOfValuesThatOnlyTheirMeaningMakesWrong() {
    ConfigException refused =
        refused(
            """
            {
              "max_batch_size": 4,
              "instance_group": [
                {"count": 1},
                {"count": 1, "kind": "KIND_CPU",
                 "gpus": [
                   3
                 ]}
              ]
            }
            """);

    assertThat(refused.key()).isEqualTo("instance_group[1].gpus");
    assertThat(refused.line()).isEqualTo(6);
    assertThat(refused.expected()).isEqualTo("no device index for KIND_CPU");
    assertThat(refused.found()).isEqualTo("[3]");
    assertThat(refused.file()).isEqualTo("configuration in the load request of \"m\"");
  }

  private static ConfigException refused(String json) {
    return catchThrowableOfType(ConfigException.class, () -> ModelConfigReader.read("m", json));
  }
}
