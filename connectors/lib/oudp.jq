# oudp.jq - what mappings share. A mapping begins with: include "oudp";
# Times leave here as RFC 3339 in UTC; what cannot be read is empty, never a guess.

# The envelope of the record: connector, received, url or file, head.
def source: input;

# jq 1.6 ends the process when a time is beyond what the C library can write.
def todate: if type == "number" and . > -62135596800 and . < 253402300800 then strftime("%Y-%m-%dT%H:%M:%SZ")
  else empty end;

# A number, of a number or of a text that is one; nothing for everything that means "missing".
def number:
  if type == "number" then (if isnan or isinfinite then empty else . end)
  elif type == "string" then try tonumber catch empty | if isnan or fabs > 1e300 then empty else . end
  else empty end;

# The number, if it is none of the values by which the source says that it has none.
def number_not($missing): number | . as $v | if any($missing[]; . == $v) then empty else $v end;

# {name: value} or {} - to add members that may be missing: {} + member("pm25"; .x | number)
def member($name; f): [f] | if length == 0 or .[0] == null then {} else {($name): .[0]} end;

# What may be one or several, as several.
def several: if . == null then empty elif type == "array" then .[] else . end;

# A question to the host and its answer (words.h): debug is the way out that jq has, input the way in.
def ask: debug | input;

# One element of several, or the one there is: what is wrong with it is said, and costs the others nothing.
def each(f): try f catch {refused: ("not in the documented shape: " + tostring)};

# A level of a topic: no separators, no wildcards.
def topic_level: {level: tostring} | ask;

# [year, month from 0, day, hour, minute, second] as seconds since 1970. mktime of jq 1.6 is an hour
# off near a change of the clocks when the process has a zone.
def _civil: (if .[1] < 2 then .[0] - 1 else .[0] end) as $y | (($y / 400) | floor) as $era | ($y - $era * 400) as $yoe
  | ((153 * ((.[1] + 10) % 12) + 2) / 5 | floor) as $m | ($m + .[2] - 1) as $doy
  | ($yoe * 365 + (($yoe / 4) | floor) - (($yoe / 100) | floor) + $doy + $era * 146097 - 719468) * 86400
    + .[3] * 3600 + .[4] * 60 + (.[5] | floor);

# Seconds of a wall clock in the connector's zone since 1970, as UTC seconds. In the hour that comes
# twice it is the first one; in the one that does not come, as long after the change as it says.
def _offset: (localtime | _civil) - floor;
def wall_to_utc: . as $w | ($w - ($w - 86400 | _offset)) as $a
  | if ($a | _offset) == ($w - 86400 | _offset) then $a
    else ($w - ($a | _offset)) as $b
      | if ($b | _offset) == ($a | _offset) then $b else $a end end;

def _parts: capture("^(?<y>[0-9]{4})-(?<m>[0-9]{2})-(?<d>[0-9]{2})[T ](?<H>[0-9]{2}):(?<M>[0-9]{2})(:(?<S>[0-9]{2})([.,][0-9]+)?)?(?<z>Z|z|[-+][0-9]{2}:?[0-9]{2})?$");
def _seconds: [(.y | tonumber), (.m | tonumber) - 1, (.d | tonumber), (.H | tonumber), (.M | tonumber),
  ((.S // "0") | tonumber)] | _civil;
def _zone: if . == null then null elif ascii_upcase == "Z" then 0
  else (if startswith("-") then -1 else 1 end) * ((.[1:3] | tonumber) * 3600 + (.[-2:] | tonumber) * 60) end;

# "2026-11-24 13:05:00", with or without seconds and offset; without one it is of the connector's zone.
def utc_time: if type != "string" then empty
  else . as $text | {utc: .} | ask // ($text
    | try (_parts | (.z | _zone) as $z | _seconds | (if $z == null then wall_to_utc else . - $z end) | todate) catch empty) end;
# Seconds since 1970, or milliseconds: those of any time after March 1973 are more than 1e11.
def epoch_time: number | (if . > 1e11 then . / 1000 else . end) | floor | todate;

# Units, where there is one factor and nothing to state.
def pa_to_hpa: . / 100;
def percent_to_share: . / 100;
def ms_to_kmh: . * 3.6;
# ppb to ug/m3 only with the molar mass (g/mol), temperature (Cel) and pressure (hPa) stated.
def ppb_to_ugm3($molar; $celsius; $hpa): . * $molar * $hpa / (83.14462618 * ($celsius + 273.15));

# A GeoJSON point of two numbers, or nothing: 0,0 is nowhere.
def point($lon; $lat): [$lon, $lat] | map(number) | select(length == 2)
  | select((.[0] != 0 or .[1] != 0) and (.[0] | fabs) <= 180 and (.[1] | fabs) <= 90)
  | {type: "Point", coordinates: .};

def topic($default): ($settings["topic"] // $default) + "/";
def rounded: . * 1000000 | round / 1000000;
