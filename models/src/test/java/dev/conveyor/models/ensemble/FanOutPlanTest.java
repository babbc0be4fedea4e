package dev.conveyor.models.ensemble;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.config.ModelConfigWriter;
import dev.conveyor.models.config.StepFlow;
import dev.conveyor.models.steps.Steps;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which steps run per item, what they share, what is joined, and what cannot be. */
final class FanOutPlanTest {

  @Test
  void shouldPutStepsBetweenFanOutAndJoinIntoOneBody() {
    // detect: IN -> list; cut: a row of list and all of IN; look: per item; count: joined
    EnsemblePlan plan =
        plan(
            steps("list IN list", "pair list,IN cut", "a cut seen", "a seen OUT", "list seen LIST"),
            "{'step': 1, 'for_each': ['A'], 'max_items': 9, 'on_excess': 'TRUNCATE'},"
                + "{'step': 4, 'join': true, 'when': 'list'}",
            "OUT",
            "LIST");

    assertThat(plan.steps()).extracting(PlannedStep::index).containsExactly(0, 1, 2, 3, 4);
    assertThat(plan.graph().nodes()).hasSize(3);
    FanOut fanOut = (FanOut) plan.graph().nodes().get(2);
    assertThat(fanOut.label()).isEqualTo("step 1 (model 'pair')");
    assertThat(fanOut.maxItems()).isEqualTo(9);
    assertThat(fanOut.onExcess()).isEqualTo(StepFlow.Excess.TRUNCATE);
    assertThat(fanOut.inputs()).extracting(Binding::name).containsExactly("list", "IN");
    assertThat(fanOut.apart()).isEqualTo(1);
    assertThat(fanOut.body().nodes()).hasSize(3);
    assertThat(fanOut.joined())
        .containsExactly(
            new TensorSpec("seen", DataType.FP32, Shape.of(-1, 4)),
            new TensorSpec("OUT", DataType.FP32, Shape.of(-1, 4)));
    // "list" is read by the fan-out and by the condition.
    int list = fanOut.inputs().get(0).slot();
    assertThat(plan.graph().uses().get(list)).isEqualTo(2);
    PlannedStep last = plan.steps().get(4);
    assertThat(last.when()).hasValue(list);
    assertThat(last.needsRows()).isTrue();

    Progress progress = new Progress(plan.graph());
    assertThat(progress.start()).containsExactly(0);
    assertThat(progress.done(0)).containsExactly(2);
    assertThat(progress.done(2)).containsExactly(1);
    assertThat(progress.done(1)).isEmpty();
    assertThat(progress.isFinished()).isTrue();
  }

  @Test
  void shouldTakeStepsThatTakeTheSameTensorApartAsOneFanOut() {
    EnsemblePlan plan =
        plan(
            steps("list IN list", "a list x", "a list y", "pair x,y OUT"),
            "{'step': 1, 'for_each': ['INPUT0']}, {'step': 2, 'for_each': ['INPUT0']}",
            "OUT");

    assertThat(plan.graph().nodes()).hasSize(2);
    assertThat(((FanOut) plan.graph().nodes().get(1)).body().nodes()).hasSize(3);
  }

  @Test
  void shouldTakeWhatWasJoinedApartAgain() {
    EnsemblePlan plan =
        plan(
            steps("list IN list", "a list x", "pair x,x OUT"),
            "{'step': 1, 'for_each': ['INPUT0']},"
                + " {'step': 2, 'join': true, 'for_each': ['A']}",
            "OUT");

    FanOut second = (FanOut) plan.graph().nodes().get(2);
    assertThat(second.inputs()).extracting(Binding::name).containsExactly("x", "x");
    assertThat(second.inputs().get(0).slot()).isEqualTo(second.inputs().get(1).slot());
    assertThat(second.apart()).isEqualTo(1);
  }

  @Test
  void shouldLetTwoStepsOfWhichOneRunsGiveOneTensor() {
    String both = "{'step': 1, 'when': 'list'}, {'step': 2, 'unless': 'list'}";
    EnsemblePlan plan = plan(steps("list IN list", "a IN x", "one IN x", "a x OUT"), both, "OUT");

    int x = plan.steps().get(1).outputs().get(0).slot();
    assertThat(plan.steps().get(2).outputs().get(0).slot()).isEqualTo(x);
    assertThat(plan.steps().get(1).unless()).isFalse();
    assertThat(plan.steps().get(2).unless()).isTrue();
    assertThat(plan.graph().givers().get(x)).isEqualTo(2);
    Progress progress = new Progress(plan.graph());
    assertThat(progress.start()).containsExactly(0);
    assertThat(progress.done(0)).containsExactly(1, 2);
    assertThat(progress.done(2)).as("the other may be the one that runs").isEmpty();
    assertThat(progress.done(1)).containsExactly(3);
  }

  @Test
  void shouldKnowThatOneOfTwoAlternativesRuns() {
    String steps = steps("one IN OUT", "one IN OUT");
    String alone =
        json(steps("one IN OUT"), "{'unless': 'IN'}", "OUT").replace("[-1, 4]", "[1, 4]");
    String both =
        json(steps, "{'when': 'IN'}, {'step': 1, 'unless': 'IN'}", "OUT")
            .replace("[-1, 4]", "[1, 4]");
    assertThatThrownBy(() -> plan(alone)).hasMessageContaining("-1 as the first dimension");
    assertThat(plan(both).graph().outputs()).hasSize(1);

    // Its condition may be missing itself, and then neither runs.
    String chained =
        json(
                steps("one IN c", "one IN OUT", "one IN OUT"),
                "{'when': 'IN'}, {'step': 1, 'when': 'c'}, {'step': 2, 'unless': 'c'}",
                "OUT")
            .replace("[-1, 4]", "[1, 4]");
    assertThatThrownBy(() -> plan(chained)).hasMessageContaining("-1 as the first dimension");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "a IN OUT | {'join': true} | conveyor.ensemble_step[0].join | a join without a fan-out",
        "a IN OUT | {'when': 'NONE'} | conveyor.ensemble_step[0].when | \"NONE\", which is neither",
        "a IN OUT | {'when': 'OUT'} | step[0].input_map | a cycle: step 0 waits for step 0",
        "a IN OUT | {'unless': 'NONE'} | conveyor.ensemble_step[0].unless | \"NONE\", which is neither",
        "a IN x; a IN x; a x OUT | {'step': 0, 'when': 'IN'}, {'step': 1, 'when': 'IN'}"
            + " | step[1].output_map | tensor \"x\" is an output of step 0 already",
        "a IN c; a IN x; a IN x; a x OUT | {'step': 1, 'when': 'IN'}, {'step': 2, 'unless': 'c'}"
            + " | step[2].output_map | tensor \"x\" is an output of step 1 already",
        "a IN x; a IN x; a IN x; a x OUT | {'step': 0, 'when': 'IN'}, {'step': 1, 'unless': 'IN'},"
            + " {'step': 2, 'when': 'IN'}"
            + " | step[2].output_map | tensor \"x\" is an output of step 1 already",
        "scalar IN x; a IN x; a x OUT | {'step': 0, 'when': 'IN'}, {'step': 1, 'unless': 'IN'}"
            + " | step[1].output_map | tensor \"x\", which is TYPE_FP32 [-1,4]",
        "list IN l; a l x; a IN x; a x OUT"
            + " | {'step': 1, 'for_each': ['INPUT0'], 'when': 'l'}, {'step': 2, 'unless': 'l'}"
            + " | step[2].output_map | by one step per item, by the other once",
        "a IN x; a OUT x; a x OUT | {'step': 0, 'when': 'IN'}, {'step': 1, 'unless': 'IN'}"
            + " | step[1].input_map | a cycle: step 1 waits for step 2 waits for step 1",
        "list IN l; a l x; a x OUT | {'step': 1, 'for_each': ['INPUT0']},"
            + "{'step': 2, 'for_each': ['INPUT0']}"
            + " | conveyor.ensemble_step[1].for_each | a fan-out inside of a fan-out",
        "list IN l; list IN m; a l x; a m y; pair x,y OUT"
            + " | {'step': 2, 'for_each': ['INPUT0']}, {'step': 3, 'for_each': ['INPUT0']}"
            + " | step[4].input_map | that begin with the steps [2, 3]",
        "list IN l; a l x; a l y; pair x,y OUT"
            + " | {'step': 1, 'for_each': ['INPUT0']},"
            + " {'step': 2, 'for_each': ['INPUT0'], 'max_items': 3}"
            + " | conveyor.ensemble_step[1].max_items | expected the limits of step 1",
        "list IN l; a l x; list x m; pair x,m OUT | {'step': 1, 'for_each': ['INPUT0']},"
            + "{'step': 2, 'join': true}"
            + " | ensemble_scheduling.step | the items that begin with step 1 (model 'a') wait for tensor \"m\"",
        "a IN x; wide x OUT | {'for_each': ['INPUT0']}"
            + " | step[1].input_map.INPUT0 | tensor \"x\", which is TYPE_FP32 [-1,4]",
        "scalar IN s; a s OUT | {'step': 1, 'for_each': ['INPUT0']} | step[1].input_map | the scalar s",
      })
  void shouldNameWhatIsWrong(String steps, String flows, String key, String problem) {
    assertThatThrownBy(() -> plan(steps(steps.split("; ", -1)), flows, "OUT"))
        .isInstanceOfSatisfying(ConfigException.class, e -> assertThat(e.key()).endsWith(key))
        .hasMessageContaining(problem);
  }

  @Test
  void shouldAskForAnOpenFirstDimensionWhereTheNumberOfRowsIsNotKnown() {
    String optional = json(steps("a IN OUT"), "{'when': 'IN'}", "OUT").replace("[-1, 4]", "[1, 4]");

    assertThatThrownBy(() -> plan(optional))
        .hasMessageContaining("output[0].dims: expected -1 as the first dimension")
        .hasMessageContaining("found [1,4]");
  }

  @Test
  void shouldWriteWhatItReads() {
    ModelConfig config =
        ModelConfigReader.read(
            "m",
            json(
                steps("a IN OUT"),
                "{'for_each': ['INPUT0'], 'max_items': 7, 'unless': 'IN'}",
                "OUT"));

    assertThat(ModelConfigReader.read("m", ModelConfigWriter.toJson(config))).isEqualTo(config);
    assertThat(ModelConfigWriter.toJson(config)).contains("\"for_each\":[\"INPUT0\"]");
  }

  @Test
  void shouldFindWhatIsReadByModelsOnly() {
    // list: taken apart for cut. IN is the client's. cut: read by look. look: joined.
    EnsemblePlan plan =
        plan(
            steps("list IN list", "pair list,IN cut", "a cut seen", "a seen OUT"),
            "{'step': 1, 'for_each': ['A']}, {'step': 3, 'join': true}",
            "OUT");
    Readers readers = Readers.of(plan);
    PlannedStep list = plan.steps().get(0);
    PlannedStep cut = plan.steps().get(1);
    PlannedStep look = plan.steps().get(2);
    PlannedStep last = plan.steps().get(3);

    assertThat(readers.mayStay(list, "OUTPUT0", reader -> reader.model().equals("pair"))).isTrue();
    assertThat(readers.mayStay(list, "OUTPUT0", reader -> false)).isFalse();
    assertThat(readers.mayStay(cut, "OUTPUT0", reader -> reader.index() == 2)).isTrue();
    assertThat(readers.anyByModelsOnly(look)).as("joined on the host").isFalse();
    assertThat(readers.mayStay(look, "OUTPUT0", reader -> true)).isFalse();
    assertThat(readers.mayStay(last, "OUTPUT0", reader -> true)).as("the client's").isFalse();
    assertThat(readers.mayStay(last, "nobody's", reader -> false)).isTrue();
  }

  @Test
  void shouldFindThatAStepWithoutAModelOrAConditionReadsATensorToo() {
    EnsemblePlan withStep =
        plan(
            steps("a IN x", "a x OUT")
                + ",{'model_name': 'conveyor.threshold', 'input_map': {'x': 'x'},"
                + " 'output_map': {'mask': 'MASK'}}",
            "",
            "OUT");
    assertThat(Readers.of(withStep).mayStay(withStep.steps().get(0), "OUTPUT0", reader -> true))
        .isFalse();
    EnsemblePlan withCondition =
        plan(steps("a IN x", "a x OUT"), "{'step': 1, 'when': 'x'}", "OUT");
    assertThat(
            Readers.of(withCondition)
                .mayStay(withCondition.steps().get(0), "OUTPUT0", reader -> true))
        .isFalse();
    EnsemblePlan shared = plan(steps("a IN x", "a x y", "pair x,y OUT"), "", "OUT");
    PlannedStep first = shared.steps().get(0);
    assertThat(Readers.of(shared).mayStay(first, "OUTPUT0", reader -> true)).isTrue();
    assertThat(Readers.of(shared).mayStay(first, "OUTPUT0", reader -> reader.index() == 1))
        .as("one of its readers is elsewhere")
        .isFalse();
  }

  @Test
  void shouldFindThatAStepWorksWhereItsImageIsIfItsReadersAreThereToo() {
    EnsemblePlan plan = plan(cropping("'OUT'"));
    Readers readers = Readers.of(plan);
    PlannedStep first = plan.steps().get(0);
    PlannedStep cut = plan.steps().get(1);

    assertThat(readers.mayStay(first, "OUTPUT0", reader -> true)).isTrue();
    assertThat(readers.mayStay(cut, "image", reader -> true)).isTrue();
    assertThat(readers.mayStay(first, "OUTPUT0", reader -> reader.step().isEmpty()))
        .as("crops are not cut there")
        .isFalse();
    assertThat(readers.mayStay(first, "OUTPUT0", reader -> reader.index() == 1))
        .as("the reader of the crops is elsewhere")
        .isFalse();
    assertThat(readers.mayStay(plan.steps().get(3), "OUTPUT0", reader -> true))
        .as("a box is read on the host")
        .isFalse();

    EnsemblePlan shown = plan(cropping("'crop'"));
    assertThat(Readers.of(shown).mayStay(shown.steps().get(0), "OUTPUT0", reader -> true))
        .as("the client gets the crops")
        .isFalse();
  }

  /** A model whose picture is cut, one that takes the crops, and one that gives the boxes. */
  private static String cropping(String output) {
    return """
        {'platform': 'ensemble',
         'input': [{'name': 'IN', 'data_type': 'TYPE_FP32', 'dims': [-1, 1, 8, 8]},
                   {'name': 'IDS', 'data_type': 'TYPE_FP32', 'dims': [-1, 4]}],
         'output': [{'name': %s, 'data_type': 'TYPE_FP32', 'dims': [-1, 1, 8, 8]}],
         'ensemble_scheduling': {'step': [
           {'model_name': 'photo', 'input_map': {'INPUT0': 'IN'}, 'output_map': {'OUTPUT0': 'x'}},
           {'model_name': 'conveyor.crop', 'input_map': {'image': 'x', 'box': 'boxes'},
            'output_map': {'image': 'crop'}},
           {'model_name': 'photo', 'input_map': {'INPUT0': 'crop'}, 'output_map': {'OUTPUT0': 'OUT'}},
           {'model_name': 'a', 'input_map': {'INPUT0': 'IDS'}, 'output_map': {'OUTPUT0': 'boxes'}}]},
         'parameters': {'step[1].width': {'string_value': '8'},
           'step[1].height': {'string_value': '8'}}}"""
        .formatted(output)
        .replace('\'', '"');
  }

  /** Each is a model, the tensors it reads, and the tensor it gives. */
  private static String steps(String... steps) {
    StringBuilder all = new StringBuilder();
    for (String step : steps) {
      String[] words = step.split(" ", -1);
      String[] reads = words[1].split(",", -1);
      String inputs =
          reads.length == 2
              ? "'A': '" + reads[0] + "', 'B': '" + reads[1] + "'"
              : "'INPUT0': '" + reads[0] + "'";
      all.append(all.length() == 0 ? "" : ",")
          .append("{'model_name': '")
          .append(words[0])
          .append("', 'input_map': {")
          .append(inputs)
          .append("}, 'output_map': {'OUTPUT0': '")
          .append(words[2])
          .append("'}}");
    }
    return all.toString();
  }

  private static String json(String steps, String flows, String... outputs) {
    StringBuilder out = new StringBuilder();
    for (String output : outputs) {
      out.append(out.length() == 0 ? "" : ",")
          .append("{'name': '")
          .append(output)
          .append("', 'data_type': 'TYPE_FP32', 'dims': [-1, 4]}");
    }
    return ("{'platform': 'ensemble',"
            + " 'input': [{'name': 'IN', 'data_type': 'TYPE_FP32', 'dims': [-1, 4]}],"
            + " 'output': ["
            + out
            + "], 'ensemble_scheduling': {'step': ["
            + steps
            + "]}, 'conveyor': {'ensemble_step': ["
            + flows
            + "]}}")
        .replace('\'', '"');
  }

  private static EnsemblePlan plan(String steps, String flows, String... outputs) {
    return plan(json(steps, flows, outputs));
  }

  private static EnsemblePlan plan(String json) {
    ModelConfig config = ModelConfigReader.read("m", json);
    return PlanBuilder.build(config, (model, version) -> member(model), Steps.onClassPath());
  }

  private static Member member(String model) {
    List<TensorSpec> one = List.of(spec("INPUT0", -1, 4));
    return switch (model) {
      case "list", "a" -> new Member(one, one, List.of(spec("OUTPUT0", -1, 4)), 8);
      case "wide" ->
          new Member(
              List.of(spec("INPUT0", -1, 5)),
              List.of(spec("INPUT0", -1, 5)),
              List.of(spec("OUTPUT0", -1, 4)),
              8);
      case "photo" -> {
        List<TensorSpec> picture = List.of(spec("INPUT0", -1, 1, 8, 8));
        yield new Member(picture, picture, List.of(spec("OUTPUT0", -1, 1, 8, 8)), 8);
      }
      case "one" -> new Member(one, one, List.of(spec("OUTPUT0", 1, 4)), 8);
      case "scalar" -> new Member(one, one, List.of(spec("OUTPUT0")), 0);
      case "pair" -> {
        List<TensorSpec> two = List.of(spec("A", -1, 4), spec("B", -1, 4));
        yield new Member(two, two, List.of(spec("OUTPUT0", -1, 4)), 8);
      }
      default -> throw new IllegalArgumentException(model);
    };
  }

  private static TensorSpec spec(String name, long... dims) {
    return new TensorSpec(name, DataType.FP32, Shape.of(dims));
  }
}
