/**
 * Bundles for machines without a network: what the command {@code bundle} packs, and what it says
 * about the machine that a bundle was unpacked on.
 *
 * <ul>
 *   <li>To make native code small: {@link NativeSlimmer}; what may go is decided by {@link
 *       FatBinary}.
 *   <li>To put a bundle's directory together: {@link BundleBuilder}; to pack it: {@link
 *       BundleArchive}.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.cli.bundle;

import org.jspecify.annotations.NullMarked;
