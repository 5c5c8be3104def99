import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { layOver, memberFile, mergeYaml } from './overlay.ts'
import { mergeXml } from './xml.ts'
import { memberConfiguration } from './yaml.ts'

const ours = memberConfiguration({
  number: 3,
  portBase: 5710,
  slots: [1, 2, 3, 4],
  clusterName: 'secret-1',
  jmx: false,
})

describe('an own Hazelcast configuration', () => {
  test('without one, the member is told to stay on the loopback interface and to look into every slot', () => {
    const { text, ...known } = memberFile(ours)
    const { hazelcast } = parse(text)
    expect(hazelcast.properties['hazelcast.socket.bind.any']).toBe(false)
    expect(hazelcast.network.join['tcp-ip']['member-list']).toHaveLength(4)
    expect(hazelcast.network.join['tcp-ip']['member-list'].at(-1)).toBe('127.0.0.1:5714')
    expect(known).toEqual({ kind: 'yaml', port: 5713, clusterName: 'secret-1', hasRest: true })
  })

  test('YAML: what it says wins, what it leaves out stays; an own way to find members replaces ours', () => {
    const merged = mergeYaml(
      ours,
      'hazelcast:\n  network:\n    port: {port: 6001}\n    join:\n      multicast: {enabled: true}\n  map: {other: {backup-count: 2}}\n',
    )
    const { hazelcast } = parse(merged.text)
    expect(hazelcast.network.port).toEqual({ port: 6001, 'auto-increment': false })
    expect(hazelcast.network.join).toEqual({ 'auto-detection': { enabled: false }, multicast: { enabled: true } })
    expect(Object.keys(hazelcast.map)).toEqual(['routes', 'other'])
    expect(merged.port).toBe(6001)
  })

  test('XML: the same', () => {
    const merged = mergeXml(
      ours,
      `<hazelcast xmlns="http://www.hazelcast.com/schema/config" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
        <cluster-name>acme</cluster-name>
        <properties><property name="hazelcast.jmx">true</property></properties>
        <network><join><tcp-ip enabled="true"><member>10.0.0.5:5701</member></tcp-ip></join></network>
        <map name="routes"><backup-count>2</backup-count></map>
      </hazelcast>`,
    )
    expect(merged).toMatchObject({ kind: 'xml', port: 5713, clusterName: 'acme', hasRest: true })
    expect(merged.text).toContain('<property name="hazelcast.jmx">true</property>')
    expect(merged.text).toContain('<property name="hazelcast.socket.bind.any">false</property>')
    expect(merged.text).toContain('<port auto-increment="false">5713</port>')
    expect(merged.text).toContain('<member>10.0.0.5:5701</member>')
    expect(merged.text).not.toContain('127.0.0.1:5711')
    expect(merged.text).toContain('<backup-count>2</backup-count><per-entry-stats-enabled>true')
  })

  test('a faulty one is refused with its name and what is wrong', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'overlay-'))
    const write = async (name: string, text: string): Promise<string> => {
      await writeFile(path.join(folder, name), text)
      return path.join(folder, name)
    }
    expect(await layOver(ours, path.join(folder, 'none.yaml'))).toContain('none.yaml cannot be read (ENOENT)')
    expect(await layOver(ours, await write('a.yaml', 'network: {}'))).toContain('has no section "hazelcast:"')
    expect(await layOver(ours, await write('b.yaml', 'hazelcast: {a: ['))).toContain('b.yaml is faulty')
    expect(await layOver(ours, await write('c.xml', '<hazelcast><a></hazelcast>'))).toContain('c.xml is faulty')
  })
})
