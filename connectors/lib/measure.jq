# measure.jq - what devices call their values: names of members to property, unit and factor. For sources whose
# messages are whatever the maker of the device thought of: LoRaWAN, Zigbee, Tasmota, SenML, plain JSON.
# Results are messages of device-measurement, one per value; units are UCUM as the schema lists them.
include "oudp";

# name, without case and underscores: [property, unit, factor]; no factor is 1.
def _names: {
  "temperature": ["temperature", "Cel"], "temp": ["temperature", "Cel"], "tempc": ["temperature", "Cel"],
  "temperaturec": ["temperature", "Cel"], "tempcsht": ["temperature", "Cel"], "tempcds": ["probeTemperature", "Cel"],
  "temperaturesensor": ["temperature", "Cel"], "humiditysensor": ["humidity", "%"],
  "illuminancesensor": ["illuminance", "lx"], "airtemperature": ["temperature", "Cel"],
  "ambienttemperature": ["temperature", "Cel"], "outdoortemperature": ["temperature", "Cel"],
  "degreesc": ["temperature", "Cel"], "t": ["temperature", "Cel"], "temperaturef": ["temperature", "Cel", "degF"],
  "temperatureinternal": ["internalTemperature", "Cel"], "internaltemperature": ["internalTemperature", "Cel"],
  "devicetemperature": ["internalTemperature", "Cel"], "boardtemperature": ["internalTemperature", "Cel"],
  "externaltemperature": ["probeTemperature", "Cel"], "externaltemperature2": ["probeTemperature2", "Cel"],
  "probetemperature": ["probeTemperature", "Cel"], "watertemperature": ["waterTemperature", "Cel"],
  "surfacetemperature": ["surfaceTemperature", "Cel"], "irexternaltemperature": ["surfaceTemperature", "Cel"],
  "irinternaltemperature": ["internalTemperature", "Cel"], "dewpoint": ["dewPoint", "Cel"], "humidity": ["humidity", "%"],
  "hum": ["humidity", "%"], "humi": ["humidity", "%"], "rh": ["humidity", "%"], "relativehumidity": ["humidity", "%"],
  "airhumidity": ["humidity", "%"], "humsht": ["humidity", "%"], "humidityrel": ["humidity", "%"], "h": ["humidity", "%"],
  "pressure": ["atmosphericPressure", "hPa"], "airpressure": ["atmosphericPressure", "hPa"],
  "barometer": ["atmosphericPressure", "hPa"], "barometricpressure": ["atmosphericPressure", "hPa"],
  "atmosphericpressure": ["atmosphericPressure", "hPa"], "atmospressure": ["atmosphericPressure", "hPa"],
  "pressurehpa": ["atmosphericPressure", "hPa"], "seapressure": ["seaLevelPressure", "hPa"],
  "illuminance": ["illuminance", "lx"], "light": ["illuminance", "lx"], "lux": ["illuminance", "lx"],
  "luminosity": ["illuminance", "lx"], "lightintensity": ["illuminance", "lx"], "illumination": ["illuminance", "lx"],
  "illuminancelux": ["illuminance", "lx"], "illlx": ["illuminance", "lx"],
  "co2": ["co2", "[ppm]"], "co2ppm": ["co2", "[ppm]"], "co2concentration": ["co2", "[ppm]"],
    "carbondioxide": ["co2", "[ppm]"], "eco2": ["co2Equivalent", "[ppm]"],
  "tvoc": ["tvoc", ""], "voc": ["tvoc", ""], "co": ["co", "[ppm]"], "formaldehyde": ["formaldehyde", ""],
  "hcho": ["formaldehyde", ""], "formaldehyd": ["formaldehyde", ""], "pm1": ["pm1", "ug/m3"], "pm10": ["pm10", "ug/m3"], "pm25": ["pm25", "ug/m3"],
  "pm2.5": ["pm25", "ug/m3"], "pm4": ["pm4", "ug/m3"], "pm1.0": ["pm1", "ug/m3"], "pm10.0": ["pm10", "ug/m3"],
  "pm4.0": ["pm4", "ug/m3"], "no2": ["no2", ""], "o3": ["o3", ""], "nh3": ["nh3", ""], "h2s": ["h2s", ""],
  "laeq": ["noiseLevel", "dB"], "leq": ["noiseLevel", "dB"], "noise": ["noiseLevel", "dB"],
  "noiselevel": ["noiseLevel", "dB"], "soundavg": ["noiseLevel", "dB"], "sound": ["noiseLevel", "dB"],
  "soundlevel": ["noiseLevel", "dB"], "la.avg": ["noiseLevel", "dB"], "la.max": ["LAmax", "dB"], "la.min": ["LAmin", "dB"],
  "lc.avg": ["LCeq", "dB"], "lc.max": ["LCmax", "dB"], "lc.min": ["LCmin", "dB"], "lz.avg": ["LZeq", "dB"],
  "lz.max": ["LZmax", "dB"], "lz.min": ["LZmin", "dB"], "lamax": ["LAmax", "dB"], "lamin": ["LAmin", "dB"],
  "soundpeak": ["LApeak", "dB"], "windspeed": ["windSpeed", "m/s"], "windspeedms": ["windSpeed", "m/s"],
  "avgwindspeed": ["windSpeed", "m/s"], "windspeedkmh": ["windSpeed", "m/s", 0.2777777777777778],
  "winddirection": ["windDirection", "deg"], "winddirectiondeg": ["windDirection", "deg"],
  "winddir": ["windDirection", "deg"], "gustspeed": ["gustSpeed", "m/s"], "windgust": ["gustSpeed", "m/s"],
  "maximumwindspeed": ["gustSpeed", "m/s"], "maxwindspeed": ["gustSpeed", "m/s"], "windgustspeed": ["gustSpeed", "m/s"],
  "rain": ["precipitation", "mm"], "rainfall": ["precipitation", "mm"], "precipitation": ["precipitation", "mm"],
  "rainmm": ["precipitation", "mm"], "rainfallmm": ["precipitation", "mm"], "rainfalltotal": ["precipitationTotal", "mm"],
  "raintotal": ["precipitationTotal", "mm"], "solarradiation": ["solarRadiation", "W/m2"], "uv": ["uvIndex", "1"],
  "uvindex": ["uvIndex", "1"], "soilmoisture": ["soilMoisture", "%"], "watersoil": ["soilMoisture", "%"],
  "soilhumidity": ["soilMoisture", "%"], "vwc": ["soilMoisture", "%"], "soiltemperature": ["soilTemperature", "Cel"],
  "tempsoil": ["soilTemperature", "Cel"], "conductsoil": ["soilConductivity", "uS/cm"], "waterlevel": ["waterLevel", "m"],
  "level": ["waterLevel", "m"], "waterlevelm": ["waterLevel", "m"], "waterlevelcm": ["waterLevel", "m", 0.01],
  "waterlevelmm": ["waterLevel", "m", 0.001], "depth": ["waterLevel", "m"], "depthcm": ["waterLevel", "m", 0.01],
  "depthmm": ["waterLevel", "m", 0.001], "distance": ["distance", "m", 0.001], "distancemm": ["distance", "m", 0.001],
  "distancecm": ["distance", "m", 0.01], "distancem": ["distance", "m"], "fillinglevel": ["fillingLevel", "1", 0.01],
  "filllevel": ["fillingLevel", "1", 0.01], "fillevel": ["fillingLevel", "1", 0.01],
  "fillpercentage": ["fillingLevel", "1", 0.01],
  "conductivity": ["conductivity", "uS/cm"], "ec": ["conductivity", "uS/cm"], "ph": ["pH", "[pH]"],
    "turbidity": ["turbidity", "[NTU]"],
  "dissolvedoxygen": ["dissolvedOxygen", "mg/L"], "occupied": ["occupancy", "1"], "occupancy": ["occupancy", "1"],
  "parkingoccupied": ["occupancy", "1"], "vehiclepresent": ["occupancy", "1"], "presence": ["presence", "1"],
  "motion": ["motion", "1"], "pir": ["motion", "1"], "contact": ["contact", "1"], "waterleak": ["waterLeak", "1"],
  "leak": ["waterLeak", "1"], "leakage": ["waterLeak", "1"], "water_leak": ["waterLeak", "1"], "smoke": ["smoke", "1"],
  "tamper": ["tamper", "1"], "vibration": ["vibration", "1"], "peoplein": ["peopleIn", "1"],
  "peopleout": ["peopleOut", "1"], "peoplecount": ["peopleCount", "1"], "linetotalin": ["peopleInTotal", "1"],
  "linetotalout": ["peopleOutTotal", "1"], "power": ["power", "W"], "activepower": ["power", "W"],
  "apparentpower": ["apparentPower", "V.A"], "reactivepower": ["reactivePower", "V.A"],
  "powerfactor": ["powerFactor", "1"], "factor": ["powerFactor", "1"], "voltage": ["voltage", "V"],
  "current": ["current", "A"], "frequency": ["frequency", "Hz"], "acfrequency": ["frequency", "Hz"],
  "energy": ["energy", "kW.h"], "total": ["energy", "kW.h"], "altitude": ["altitude", "m"], "volume": ["volume", "m3"],
  "flow": ["flow", "m3/s"], "gas": ["gasResistance", "kOhm"], "batteryvoltage": ["batteryVoltage", "V"],
  "batv": ["batteryVoltage", "V"], "vbat": ["batteryVoltage", "V"], "batvoltage": ["batteryVoltage", "V"],
  "batterymv": ["batteryVoltage", "V", 0.001], "batterymillivolts": ["batteryVoltage", "V", 0.001],
    "vdd": ["batteryVoltage", "V", 0.001], "batteryv": ["batteryVoltage", "V"]
};
def _battery_percent: {"battery": 1, "batterylevel": 1, "batterypercent": 1, "batterypercentage": 1, "batpercent": 1,
  "batterypct": 1, "batpct": 1, "bat": 1, "batt": 1};
# Numbers that say nothing about the world.
def _silent: {"port": 1, "fport": 1, "fcnt": 1, "counter": 1, "bytes": 1, "rssi": 1, "snr": 1, "lqi": 1, "linkquality": 1,
  "timestamp": 1, "time": 1, "ts": 1, "epoch": 1, "sf": 1, "id": 1, "deviceid": 1, "devid": 1, "version": 1,
  "hardwareversion": 1, "firmwareversion": 1, "latitude": 1, "longitude": 1, "lat": 1, "lon": 1, "lng": 1, "valid": 1,
  "err": 1, "error": 1, "errorcode": 1, "crc": 1, "seq": 1, "sequence": 1, "interval": 1, "protocolversion": 1,
  "payloadtype": 1, "messagetype": 1, "type": 1,
  "uplinkcount": 1, "resetcount": 1, "powerondevice": 1, "updateavailable": 1, "powertotal": 0};
def _unit_words: {"c": "Cel", "degc": "Cel", "°c": "Cel", "celsius": "Cel", "cel": "Cel", "%": "%", "%rh": "%",
  "hpa": "hPa", "mbar": "hPa", "pa": "Pa", "kpa": "kPa", "v": "V", "mv": "mV", "lx": "lx", "lux": "lx", "ppm": "[ppm]",
  "[ppm]": "[ppm]", "ppb": "[ppb]", "db": "dB", "dba": "dB", "db(a)": "dB", "m/s": "m/s", "km/h": "km/h", "deg": "deg",
  "°": "deg", "m": "m", "cm": "cm", "mm": "mm", "w": "W", "kw": "kW", "wh": "W.h", "kwh": "kW.h", "a": "A", "ma": "mA",
  "hz": "Hz", "µg/m³": "ug/m3", "μg/m³": "ug/m3", "ug/m3": "ug/m3", "ug/m³": "ug/m3", "µg/m3": "ug/m3", "μg/m3": "ug/m3",
  "mg/m³": "mg/m3", "1": "1", "k": "K", "f": "[degF]", "°f": "[degF]", "degf": "[degF]", "l/m2": "mm", "l/m²": "mm",
  "w/m²": "W/m2", "w/m2": "W/m2",
    "us/cm": "uS/cm", "µs/cm": "uS/cm", "μs/cm": "uS/cm", "l": "L", "m3": "m3", "m³": "m3"};
# [from, to]: [factor, offset]
def _conversion($from; $to): {
  "Pa>hPa": [0.01, 0], "kPa>hPa": [10, 0], "mV>V": [0.001, 0], "km/h>m/s": [0.2777777777777778, 0], "cm>m": [0.01, 0], "dm>m": [0.1, 0],
  "mm>m": [0.001, 0], "m>mm": [1000, 0], "cm>mm": [10, 0], "K>Cel": [1, -273.15],
  "[degF]>Cel": [0.5555555555555556, -17.77777777777778], "kW>W": [1000, 0], "mA>A": [0.001, 0], "W.h>kW.h": [0.001, 0],
  "%>1": [0.01, 0], "[ppb]>[ppm]": [0.001, 0], "[ppm]>[ppb]": [1000, 0],
  "1>%": [100, 0], "mg/m3>ug/m3": [1000, 0], "L>m3": [0.001, 0]}[$from + ">" + $to];

# A unit as somebody wrote it, as UCUM; what is not known stays as it was written.
def ucum: if type == "string" then . as $u | _unit_words[ascii_downcase] // $u else null end;
# {n, u} in the unit that is wanted, or nothing: never a number in a unit that it has not.
def in_unit($to): if .u == null or .u == $to or $to == "" then .n
  else _conversion(.u; $to) as $c | if $c == null then empty else (.n * $c[0] + $c[1] | rounded) end end;

def _plain: ascii_downcase | if contains("_") then split("_") | join("") else . end;
# A value with the unit that stands in its text ("3.384 V"); true and false are 1 and 0.
def _quantity: if type == "number" then (if isnan or isinfinite or . == -999 or . == -9999 then empty
  else {n: ., u: null} end)
  elif type == "boolean" then {n: (if . then 1 else 0 end), u: null}
  elif type == "string" then
    ((number | {n: ., u: null})
     // (capture("^\\s*(?<n>[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?)\\s*(?<u>[^0-9\\s].*?)\\s*$")?
       | {n: (.n | tonumber), u: (.u | ucum)})
     // empty)
    | select(.n != -999 and .n != -9999)
  else empty end;

# The members of nested objects as [["a.b", value]...]; arrays are spectra and histories: not values.
def _flat($prefix): to_entries[] | ($prefix + .key) as $k | .value
  | if type == "object" then (if has("value") and (has("unit") or has("displayName") or length == 1)
    then [$k, .value, (.unit | strings | ucum)] // [$k, .value]
                              elif has("data") and (.unit | type) == "string" then [$k, .data, (.unit | ucum)]
                              else _flat($k + ".") end)
    elif type == "array" or type == "null" then empty else [$k, .] end;

# Settings of a block say more: "member.NAME=PROPERTY UNIT [FACTOR]"; "member.NAME=-" drops it.

# One member: {property, value, unit, channel}, {battery}, or nothing.
def _own_value($own; $v): if $own[0] == "-" then empty
  else ($v | _quantity) | {property: $own[0], value: (.n * (($own[2] // "1") | tonumber) | rounded), unit: ($own[1] // ""),
    channel: ""} end;

# "battery": a share in percent, or a voltage; which of them its size says, or its unit.
def _battery($x; $unit):
  if $unit == "V" or $unit == "mV" then ($x | .u = $unit | in_unit("V"))
    | {property: "batteryVoltage", value: ., unit: "V", channel: ""}
  elif ($x.n > 5 and $x.n <= 100) or (($x.n | floor) == $x.n and $x.n >= 0 and $x.n <= 5)
    then {battery: ($x.n / 100 | rounded)}
  elif $x.n > 1000 and $x.n < 5000 then {property: "batteryVoltage", value: ($x.n / 1000), unit: "V", channel: ""}
  elif $x.n > 0 and $x.n < 5 then {property: "batteryVoltage", value: $x.n, unit: "V", channel: ""} else empty end;

# $hit: what _names says. A pressure is in hPa by its size: makers write Pa and kPa too.
def _named_value($hit; $x; $unit; $channel):
  (if $unit != null and $hit[1] != "" then ($x | .u = $unit | in_unit($hit[1])) elif $hit[2] == "degF"
    then ($x.n - 32) / 1.8 | rounded
   elif $hit[2] then $x.n * $hit[2] | rounded
   elif $hit[0] == "atmosphericPressure" and $x.n > 20000 then $x.n / 100 | rounded
   elif $hit[0] == "atmosphericPressure" and $x.n < 120 and $x.n > 50 then $x.n * 10 | rounded else $x.n end)
  | select(. > -100 or $hit[1] != "Cel")  # -127 is what a chip says that is not there
  | {property: $hit[0], value: ., unit: (if $hit[1] == "" then ($unit // "") else $hit[1] end), channel: $channel};

def _slow_value($k; $v; $u):
  ($k | split(".")) as $path | ($path[-1] // "") as $last | ($k | _plain) as $p | ($last | _plain) as $q
  | ($path[:-1] | join(".")) as $parent
  | ($path[-2:] | join(".") | _plain) as $pair
  | (if _names[$p] then [_names[$p], $parent] elif _names[$pair] then [_names[$pair], ($path[:-2] | join("."))]
    elif _names[$q] then [_names[$q], $parent]
     elif ($last | test("^[0-9]+$")) and ($path | length) > 1 then [_names[$path[-2] | _plain],
       $last]  # Cayenne LPP: {"temperatureSensor": {"1": 21}}
     elif ($last | test("_(l?[0-9]+|left|right)$")) then ($last | capture("^(?<n>.*)_l?(?<c>[0-9]+|left|right)$")) as $c
       | [_names[$c.n | _plain], $c.c]
     else [null, ""] end) as $found
  | if _silent[$q] == 1 then empty
    else ($v | _quantity) as $x | ($x.u // $u) as $unit
      | if _battery_percent[$q] then _battery($x; $unit)
        elif $found[0] != null then _named_value($found[0]; $x; $unit; $found[1])
        elif $settings["unknown"] == "ignore" or ($v | type) == "boolean" then empty
        else {property: $k, value: $x.n, unit: ($unit // ""), channel: ""} end
    end;

def _value($k; $v; $u): $settings["member." + $k] as $own
  | if $own then _own_value($own | split(" "); $v) else _slow_value($k; $v; $u) end;

# What an object of members says, as values. A number under a name of the table is the common case, and the fast one.

def values_of: [keys_unsorted[] as $key | .[$key] | type as $type | _names[$key] as $hit
  | if $hit and $type == "number" and . > -100 and $settings["member." + $key] == null then
      (if ($hit | length) == 2 and $hit[0] != "atmosphericPressure"
        then {property: $hit[0], value: ., unit: $hit[1], channel: ""}
       else _named_value($hit; {n: ., u: null}; null; "") end)
    elif $type == "number" and _battery_percent[$key] and $settings["member." + $key] == null
      then _battery({n: ., u: null}; null)
    elif $type == "object" then ({($key): .} | _flat("")) as [$k, $v, $u] | _value($k; $v; $u)
    elif $type == "null" or $type == "array" then empty
    else _value($key; .; null) end];

# Messages of values about a thing. $base: dateObserved and what else stands in each of them.
# Several channels of one property are things of their own; one alone is the device.
def messages($feed; $thing; $base; $values):
  (if any($values[]; .channel != null and .channel != "") | not then []
   else [$values[] | select(.property)] | group_by(.property) | map(select(length > 1) | .[0].property) end) as $many
  | ($thing | topic_level) as $level
  | $values[]
  | (if ($many | length) > 0 and .channel != null and .channel != "" and (.property as $p | $many | index($p)) then $level
    + "-" + (.channel | topic_level) else $level end) as $t
  | {topic: ($feed + $t), payload: ($base + (if .battery != null then {refDevice: $t, batteryLevel: .battery}
       elif .unit == "" then {refDevice: $t, controlledProperty: .property, numValue: .value}
       else {refDevice: $t, controlledProperty: .property, numValue: .value, unit} end))};
