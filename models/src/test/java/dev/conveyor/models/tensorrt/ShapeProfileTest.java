package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShapeProfileTest {

  private static final Shape ANY = Shape.of(-1, -1);
  private static final List<TensorSpec> INPUTS =
      List.of(
          new TensorSpec("ids", DataType.INT64, ANY), new TensorSpec("mask", DataType.INT64, ANY));
  private static final List<ShapeProfile> SHORT_AND_LONG =
      ShapeProfile.parse(
          "ids:1x1,mask:1x1,ids:1x65,mask:1x65",
          "ids:8x32,mask:8x32,ids:4x128,mask:4x128",
          "ids:16x64,mask:16x64,ids:8x512,mask:8x512");

  private static int firstFor(Shape ids, Shape mask) {
    return EngineProfiles.of(SHORT_AND_LONG, List.of()).firstFor(INPUTS, List.of(ids, mask));
  }

  @Test
  void shouldReadProfilesOfInputsThatAreNamedAgain() {
    assertThat(SHORT_AND_LONG).hasSize(2);
    assertThat(SHORT_AND_LONG.get(1).ranges())
        .containsOnlyKeys("ids", "mask")
        .containsEntry(
            "ids", new ShapeProfile.Range(Shape.of(1, 65), Shape.of(4, 128), Shape.of(8, 512)));
    assertThat(ShapeProfile.parse("", "", "")).isEmpty();
    assertThat(ShapeProfile.parse("a:0:3", "a:0:4", "a:0:5").get(0).ranges()).containsKey("a:0");
  }

  @ParameterizedTest
  @CsvSource({"1,1,0", "16,64,0", "1,65,1", "8,512,1", "9,65,-1", "17,1,-1", "1,513,-1", "0,1,-1"})
  void shouldFindTheFirstProfileWhoseRangeTheBatchIsIn(int items, int length, int profile) {
    Shape shape = Shape.of(items, length);
    assertThat(firstFor(shape, shape)).isEqualTo(profile);
  }

  @Test
  void shouldWantEveryInputInTheSameProfile() {
    assertThat(firstFor(Shape.of(1, 64), Shape.of(1, 65))).isEqualTo(-1);
    assertThat(firstFor(Shape.of(1, 64), Shape.of(64))).isEqualTo(-1);
  }

  @Test
  void shouldFindBatchesThatNoProfileTakes() {
    assertThat(ShapeProfile.leastUncovered(SHORT_AND_LONG, 16)).isZero();
    assertThat(ShapeProfile.leastUncovered(SHORT_AND_LONG, 17)).isEqualTo(17);
    List<ShapeProfile> fromTwo = ShapeProfile.parse("x:2x3", "x:2x3", "x:4x3");
    assertThat(ShapeProfile.leastUncovered(fromTwo, 4)).isEqualTo(1);
  }

  @Test
  void shouldTakeBatchSizesForInputsWithoutAProfileAndRefuseWhatTheFileDoesNot() {
    BatchProfile batches = BatchProfile.of(8, List.of(4));
    ShapeProfile profile = SHORT_AND_LONG.get(0);
    assertThat(profile.range("fixed", Shape.of(-1, 3), batches))
        .isEqualTo(new ShapeProfile.Range(Shape.of(1, 3), Shape.of(4, 3), Shape.of(8, 3)));
    assertThat(profile.range("ids", ANY, batches).most()).isEqualTo(Shape.of(16, 64));
    assertThatThrownBy(() -> profile.range("ids", Shape.of(-1, 77), batches))
        .hasMessageContaining("input 'ids' is [-1,77], and its profile from [1,1] to [16,64]");
    assertThatThrownBy(() -> profile.range("other", ANY, batches))
        .hasMessageContaining("trt_profile_min_shapes");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ' ',
      value = {
        "ids:1x1 ids:1x1 mask:1x1",
        "ids:2x1 ids:1x1 ids:4x1",
        "ids:1x1 ids:4x1 ids:2x1",
        "ids:1x1 ids:1x1x1 ids:1x1",
        "ids:1x1,ids:1x1 ids:1x1 ids:1x1",
        "ids ids ids",
        "ids:1xa ids:1xa ids:1xa",
        "ids:1x1,, ids:1x1 ids:1x1"
      })
  void shouldNameTheParameterOfRangesThatMakeNoSense(String least, String best, String most) {
    Map<String, String> parameters =
        Map.of(
            "trt_profile_min_shapes", least,
            "trt_profile_opt_shapes", best,
            "trt_profile_max_shapes", most);
    assertThatThrownBy(() -> EngineOptions.parse(parameters))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("parameters.trt_profile_min_shapes");
  }

  @Test
  void shouldMakeAnEngineOfItsOwnForEachSetOfProfiles() {
    BatchProfile batches = BatchProfile.of(8, List.of());
    EngineOptions one = profiles("x:8x64");
    EngineOptions other = profiles("x:8x65");
    assertThat(EngineKey.flags(one, batches, ""))
        .isEqualTo(EngineKey.flags(profiles("x:8x64"), batches, ""))
        .isNotEqualTo(EngineKey.flags(other, batches, ""))
        .isNotEqualTo(EngineKey.flags(EngineOptions.DEFAULT, batches, ""));
  }

  private static EngineOptions profiles(String most) {
    return EngineOptions.parse(
        Map.of(
            "trt_profile_min_shapes", "x:1x1",
            "trt_profile_opt_shapes", "x:8x32",
            "trt_profile_max_shapes", most));
  }
}
