import { Value } from 'typebox/value'
import { expect, test } from 'vitest'
import { hazelcastDefaults } from '../cluster/hazelcast/settings.ts'
import { type ClusterSettings, checkClusterSettings, clusterFeature, interfacesOf } from './settings.ts'

const defaults = Value.Create(clusterFeature.settings as NonNullable<typeof clusterFeature.settings>) as ClusterSettings

test('the defaults are allowed, and are those that Hazelcast is started with', () => {
  expect(() => checkClusterSettings(defaults)).not.toThrow()
  expect(defaults).toMatchObject(hazelcastDefaults)
  expect(interfacesOf(defaults)).toBeUndefined()
  expect(interfacesOf({ multicastInterfaces: ' eth0, 10.0.0.5 ,' })).toEqual(['eth0', '10.0.0.5'])
})

test.each([
  [{ multicastGroup: '192.168.1.1' }, 'take an address from 224.0.0.0'],
  [{ multicastGroup6: 'fe80::1' }, 'begins with ff'],
  [{ memberFlags: '-Xmx2g' }, 'set the memory of the member instead'],
  [{ memberFlags: '-XX:+UseG1GC nonsense' }, '“nonsense” is no option of Java'],
  [{ configFile: '../other.yaml' }, 'its folder is set apart'],
  [{ configFile: 'hazelcast.json' }, 'ends in .yaml or .xml'],
  [{ configDirectory: 'conf' }, 'not a whole path'],
  [{ retryFirstSeconds: 60 }, 'cannot be shorter'],
])('%j is refused with what to do', (wrong, sentence) => {
  expect(() => checkClusterSettings({ ...defaults, ...wrong })).toThrow(sentence)
})
