package dev.conveyor.verticles.cli.bundle;

import static dev.conveyor.verticles.cli.bundle.SyntheticElf.CUBIN;
import static dev.conveyor.verticles.cli.bundle.SyntheticElf.PTX;
import static dev.conveyor.verticles.cli.bundle.SyntheticElf.buffer;
import static dev.conveyor.verticles.cli.bundle.SyntheticElf.fatBinary;
import static dev.conveyor.verticles.cli.bundle.SyntheticElf.section;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.verticles.cli.bundle.FatBinary.Blanked;
import dev.conveyor.verticles.cli.bundle.SyntheticElf.Code;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class FatBinaryTest {

  @Test
  void shouldKeepTheDevicesOwnMachineCodeAndEveryHeader() {
    byte[] section =
        section(
            List.of(
                fatBinary(
                    new Code(CUBIN, 80, 64, 40),
                    new Code(CUBIN, 90, 64, 24),
                    new Code(CUBIN, 100, 112, 16),
                    new Code(PTX, 100, 80, 8))));
    byte[] before = section.clone();

    Blanked blanked = FatBinary.blank(buffer(section), 90);

    assertThat(blanked).isEqualTo(new Blanked(1, 4, 3, 88, 64));
    int first = 16 + 64;
    int second = first + 40 + 64;
    int third = second + 24 + 112;
    int fourth = third + 16 + 80;
    byte[] expected = before.clone();
    zero(expected, first, 40);
    zero(expected, third, 16);
    zero(expected, fourth, 8);
    assertThat(section).isEqualTo(expected);
  }

  @Test
  void shouldKeepTheLargestOfTheSameMajorNumberWhereThereIsNoneOfItsOwn() {
    byte[] section =
        section(
            List.of(
                fatBinary(
                    new Code(CUBIN, 80, 64, 8),
                    new Code(CUBIN, 86, 64, 16),
                    new Code(CUBIN, 90, 64, 32))));

    assertThat(FatBinary.blank(buffer(section), 89)).isEqualTo(new Blanked(1, 3, 2, 56, 40));
    assertThat(section[16 + 64 + 8 + 64]).isEqualTo((byte) 86);
  }

  @Test
  void shouldKeepWhatTheDriverCompilesWhereNoMachineCodeRuns() {
    byte[] section =
        section(List.of(fatBinary(new Code(CUBIN, 80, 64, 8), new Code(PTX, 80, 64, 16))));

    assertThat(FatBinary.blank(buffer(section), 90)).isEqualTo(new Blanked(1, 2, 1, 24, 8));
    assertThat(section[16 + 64 + 8 + 64]).isEqualTo((byte) 80);
  }

  @Test
  void shouldKeepBothVariantsOfTheChosenArchitectureAndUnknownKinds() {
    byte[] section =
        section(
            List.of(
                fatBinary(
                    new Code(CUBIN, 90, 64, 8),
                    new Code(CUBIN, 90, 64, 8),
                    new Code(16, 75, 64, 8))));

    assertThat(FatBinary.blank(buffer(section), 90).blanked()).isZero();
  }

  /** A size of minus its own header would be read for ever. */
  @Test
  void shouldRefuseAFatBinaryThatEndsBeforeItBegins() {
    byte[] section = section(List.of(fatBinary(new Code(CUBIN, 80, 64, 8))));
    buffer(section).putLong(8, -16);

    assertThatThrownBy(() -> FatBinary.blank(buffer(section), 90))
        .hasMessageContaining("does not fit");
  }

  @Test
  void shouldChangeNothingOfWhatItDoesNotUnderstand() {
    byte[] good = fatBinary(new Code(CUBIN, 80, 64, 8));
    byte[] bad = fatBinary(new Code(CUBIN, 80, 64, 8));
    buffer(bad).putLong(16 + 8, 1 << 20);
    byte[] section = section(List.of(good, bad));
    byte[] before = section.clone();

    assertThatThrownBy(() -> FatBinary.blank(buffer(section), 90))
        .isInstanceOf(BundleException.class)
        .hasMessageContaining("does not fit");
    assertThat(section).isEqualTo(before);

    assertThatThrownBy(
            () ->
                FatBinary.blank(
                    buffer(new byte[] {7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 90))
        .hasMessageContaining("expected a fat binary (ba55ed50) at byte 0");
  }

  @Property(tries = 300)
  void shouldBlankExactlyWhatItCounts(
      @ForAll @Size(min = 1, max = 6)
          List<@Size(max = 5) List<@IntRange(min = 70, max = 121) Integer>> binaries,
      @ForAll @IntRange(min = 70, max = 121) int sm) {
    List<byte[]> made = new ArrayList<>();
    for (List<Integer> architectures : binaries) {
      made.add(
          fatBinary(
              architectures.stream()
                  .map(a -> new Code(a % 3 == 0 ? PTX : CUBIN, a, 64 + a % 2 * 8, a % 13))
                  .toArray(Code[]::new)));
    }
    byte[] section = section(made);
    byte[] before = section.clone();

    Blanked blanked = FatBinary.blank(buffer(section), sm);

    long changed = 0;
    for (int i = 0; i < before.length; i++) {
      if (before[i] != section[i]) {
        assertThat(section[i]).isZero();
        changed++;
      }
    }
    assertThat(changed).isEqualTo(blanked.blankedBytes());
    assertThat(blanked.binaries()).isEqualTo(binaries.size());
    assertThat(FatBinary.blank(buffer(section), sm)).isEqualTo(blanked);
  }

  private static void zero(byte[] bytes, int from, int count) {
    Arrays.fill(bytes, from, from + count, (byte) 0);
  }
}
